//! What a node does, whatever drives it: scenarios that are written once, against a small [`Stage`], and played on three.
//!
//! - `simulated!` writes a test for each that plays it in the simulator: in virtual time, with
//!   several seeds, without root.
//! - `scenarios!`, with the feature `conformance`, writes a test for each that plays it with a driver, on real sockets, on a
//!   host of its own built from network namespaces, with the same limits in real time; and tests for what only a real system
//!   has, listed apart, each with the reason why no simulator can vouch for it.
//!
//! Every node's life is recorded while it is on a stage. When the scenario is over the recording is replayed in the bare core,
//! and on a real stage in the driver itself, and has to agree byte for byte.

pub mod interfaces;
pub mod life;
pub mod mdns;
pub mod meeting;
#[cfg(all(unix, feature = "conformance"))]
pub mod real;
pub mod sessions;
mod simulated;
mod stage;
pub mod trouble;

use std::time::Duration;

use landfall_recordings::Witness;
use landfall_recordings::trace::{OnDifference, Trace};

pub use self::simulated::play;
pub use self::stage::{Change, Counts, Part, Refused, Stage};
#[cfg(all(unix, feature = "conformance"))]
pub use crate::__conformance_scenarios as scenarios;
pub use crate::__conformance_simulated as simulated;

/// How long a node may take for what it does at once.
pub const SOON: Duration = Duration::from_secs(3);

/// A scenario.
pub type Scenario = fn(&mut dyn Stage);

/// Hands the list of all scenarios to the macro `$each`, after `$first`.
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_list {
    ($each:ident, $($first:tt)*) => {
        $crate::$each! { $($first)*
            interfaces::a_new_address_is_announced_within_half_a_second_and_one_that_is_gone_no_more,
            interfaces::a_node_that_starts_without_its_interface_uses_it_when_it_comes_and_notices_that_it_goes,
            life::a_node_stops_within_half_a_second_and_answers_nothing_afterwards,
            life::a_node_that_comes_back_with_its_records_uses_a_higher_epoch,
            life::a_tap_hears_everything_in_order_and_nothing_is_sent_before_the_epoch_is_stored,
            life::an_idle_node_wakes_only_for_its_announced_timers,
            life::commands_and_questions_are_answered_and_refusals_are_told,
            mdns::a_machine_is_found_by_its_name,
            mdns::a_service_is_found_when_it_is_published_and_lost_when_it_is_taken_back,
            mdns::the_services_of_a_node_that_stops_are_lost_with_it,
            mdns::two_programs_on_one_host_hear_each_others_multicasts_by_both_families,
            mdns::whoever_publishes_a_name_that_is_taken_is_renamed,
            meeting::a_blocked_peer_is_not_talked_to_until_it_is_unblocked,
            meeting::a_node_that_is_killed_is_found_out_and_known_again_when_it_is_back,
            meeting::a_node_whose_port_another_program_has_for_itself_still_finds_others_that_answer_it,
            meeting::nodes_of_different_networks_stay_strangers,
            meeting::three_nodes_share_the_port_and_all_know_all,
            meeting::two_nodes_on_loopback_know_each_other,
            meeting::two_nodes_on_one_host_know_each_other_by_each_address_family_alone,
            sessions::a_session_is_measured_and_ends_when_one_side_wants_that,
            sessions::messages_of_both_sides_arrive_in_their_order,
            sessions::two_nodes_open_a_session_and_a_mebibyte_arrives_whole_and_is_acknowledged,
            sessions::two_nodes_that_compare_keys_show_the_same_digits,
            sessions::who_sends_one_byte_a_second_is_turned_away_after_five_seconds,
            trouble::nodes_meet_while_junk_is_poured_over_one_of_them,
            trouble::overlong_datagrams_are_dropped_and_counted,
        }
    };
}

/// Writes one test for each scenario, played in the simulator.
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_simulated {
    () => {
        $crate::__conformance_list! { __conformance_simulated_tests, }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_simulated_tests {
    ($($module:ident::$name:ident,)*) => {
        $(
            #[test]
            fn $name() {
                $crate::conformance::play($crate::conformance::$module::$name);
            }
        )*
    };
}

/// Shows a recording to a witness and gives it back.
fn witness<W: Witness>(recorded: &[u8], mut witness: W) -> W {
    let replayed = Trace::new(recorded).and_then(|trace| trace.replay(None, OnDifference::Stop, &mut witness));
    replayed.unwrap_or_else(|error| panic!("the recording does not replay: {error}"));
    witness
}
