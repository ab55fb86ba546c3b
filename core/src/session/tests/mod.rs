//! Two or three engines, the streams between them, and whoever sits in the middle.

mod attacks;
mod connection;
mod edges;
mod inside;
mod limits;
mod puppet;
mod sessions;
mod world;
