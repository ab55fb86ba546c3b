//! How records end.

use super::*;

#[test]
fn a_goodbye_takes_a_second_and_can_be_rescued() {
    let mut lab = Lab::new(11);
    lab.browse(1, "_x._tcp");
    lab.hear(&whole("one", 2, 120));
    lab.run_to(10 * S);
    lab.hear(&whole("one", 2, 0));
    lab.run_to(10 * S + 900 * MS);
    assert_eq!(lab.lost().len(), 0);
    lab.hear(&whole("one", 2, 120));
    lab.run_to(20 * S);
    assert_eq!(lab.lost().len(), 0);
    lab.hear(&whole("one", 2, 0));
    lab.run_to(30 * S);
    assert_eq!(lab.lost()[0].0.as_micros(), 21 * S);
    lab.hear(&whole("one", 2, 0));
    assert_eq!(lab.browser.querier.used(), 0, "a goodbye of what is not known is not remembered");
}

#[test]
fn a_flush_ends_older_records_in_a_second_and_spares_those_of_the_same_second() {
    let mut lab = Lab::new(12);
    lab.browse(1, "_x._tcp");
    lab.hear(&whole("one", 2, 120));
    lab.run_to(500 * MS);
    lab.hear(&Response::new().a("host2.local", [10, 77, 0, 22], 120).done());
    lab.run_to(3 * S);
    assert_eq!(
        lab.story(),
        [
            "found one _x._tcp@2 host2.local:80 [10.77.0.2] [a=1]",
            "changed one _x._tcp@2 host2.local:80 [10.77.0.2 10.77.0.22] [a=1]",
        ]
    );
    lab.run_to(10 * S);
    lab.hear(&Response::new().a("host2.local", [10, 77, 0, 3], 120).done());
    lab.run_to(20 * S);
    let ends = lab.events.last().unwrap().0.as_micros();
    assert_eq!(ends, 11 * S);
    assert_eq!(lab.story().last().unwrap(), "changed one _x._tcp@2 host2.local:80 [10.77.0.3] [a=1]");
}

#[test]
fn a_flush_bit_on_a_shared_pointer_erases_nobody() {
    let mut lab = Lab::new(13);
    lab.browse(1, "_x._tcp");
    lab.hear(&whole("one", 2, 120));
    lab.run_to(10 * S);
    let target: NameBuf = "two._x._tcp.local".parse().unwrap();
    lab.hear(&Response::new().record("_x._tcp.local", RecordType::PTR, true, 120, target.as_wire()).done());
    lab.run_to(60 * S);
    assert_eq!(lab.lost().len(), 0);
}

#[test]
fn a_new_port_is_told_at_once_and_the_old_one_never_again() {
    let mut lab = Lab::new(14);
    lab.browse(1, "_x._tcp");
    lab.hear(&whole("one", 2, 120));
    lab.run_to(10 * S);
    lab.hear(&Response::new().srv("one._x._tcp.local", "host2.local", 79, 120).done());
    lab.run_to(30 * S);
    lab.hear(&Response::new().srv("one._x._tcp.local", "host2.local", 81, 120).done());
    lab.run_to(50 * S);
    let ports: Vec<String> = lab.story().iter().map(|line| line.split([':', ' ']).nth(4).unwrap().into()).collect();
    assert_eq!(ports, ["80", "79", "81"]);
}
