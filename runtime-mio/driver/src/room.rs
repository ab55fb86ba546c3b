//! Room in queues. When a crowd comes back there is a thousand times as much to do as else; what that needed is not kept.

use std::collections::VecDeque;

/// For how many there is room in a queue that is empty.
const KEPT: usize = 64;

/// Gives back what a queue does not need any more, once it is empty.
pub(crate) fn give_back<T>(queue: &mut VecDeque<T>) {
    if queue.is_empty() && queue.capacity() > KEPT {
        queue.shrink_to(KEPT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_for_many_is_given_back_when_all_are_gone_and_room_for_a_few_is_kept() {
        let mut queue: VecDeque<u64> = (0..1000).collect();
        give_back(&mut queue);
        assert!(queue.capacity() >= 1000);
        queue.clear();
        give_back(&mut queue);
        assert_eq!(queue.capacity(), KEPT);
        queue.push_back(1);
        queue.clear();
        give_back(&mut queue);
        assert_eq!(queue.capacity(), KEPT);
    }
}
