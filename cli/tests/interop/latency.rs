//! How soon a browser on another host prints what was published, ours beside avahi's in the same run.

use std::time::{Duration, Instant};

use landfall_testvectors::lab::{Lab, report};

use super::avahi::Avahi;
use super::ours;
use super::peer::Offer;
use super::stage::{PATIENCE, alone, figures};
use super::talk::Talk;

const KIND: &str = "_http._tcp";
const TRIES: u8 = 10;

/// Both wait a random time of up to 250 ms before they probe (RFC 6762 §8.1). The medians of ten such times differ by more
/// than this twice in a thousand runs, although neither program is slower.
const LUCK: Duration = Duration::from_millis(150);

/// Which of two programs hears the same packet first is the scheduler's choice.
const SCHEDULING: Duration = Duration::from_millis(5);

/// When a browser printed the resolved service of that name, since `from`.
#[track_caller]
fn printed(browser: &Talk, name: &str, from: Instant) -> Duration {
    browser.knows(PATIENCE, name, |known| known.named(name)).0 - from
}

#[test]
fn discover_prints_what_avahi_publishes_no_later_than_avahi_browse_does() {
    alone(&discover_prints_what_avahi_publishes_no_later_than_avahi_browse_does, || {
        let lab = Lab::new(4)?;
        let (publisher, browser) = (Avahi::start(lab.host(2))?, Avahi::start(lab.host(4))?);
        let (by_ours, by_avahi) = (ours::watch(lab.host(3), KIND), browser.browse(lab.host(4), KIND, None));
        let (mut ours, mut avahis) = (Vec::new(), Vec::new());
        for number in 1..=TRIES {
            let name = format!("Try {number}");
            let theirs = publisher.publish(lab.host(2), &name, KIND, number.into(), &["a=b"]);
            ours.push(printed(&by_ours, &name, theirs.started()));
            avahis.push(printed(&by_avahi, &name, theirs.started()));
        }
        let ((our_median, ours), (avahis_median, avahis)) = (figures(&ours), figures(&avahis));
        report(&format!("FIGURE: avahi-publish to printed by discover: {ours}; by avahi-browse: {avahis}"));
        assert!(our_median <= avahis_median + SCHEDULING, "{ours}; {avahis}");
        Ok(())
    });
}

#[test]
fn avahi_browse_prints_what_ours_advertises_no_later_than_what_avahi_publishes() {
    alone(&avahi_browse_prints_what_ours_advertises_no_later_than_what_avahi_publishes, || {
        // avahi draws its random delay once in ten seconds, so each try has a daemon of its own.
        let lab = Lab::new(2 + TRIES)?;
        let daemon = Avahi::start(lab.host(2))?;
        let publishers = lab.hosts()[2..].iter().map(Avahi::start).collect::<Result<Vec<_>, _>>()?;
        let browser = daemon.browse(lab.host(2), KIND, None);
        let (mut ours, mut avahis) = (Vec::new(), Vec::new());
        for (publisher, host) in publishers.iter().zip(&lab.hosts()[2..]) {
            let offer = Offer::plain(&format!("Ours {}", host.number()), KIND, 80);
            let advertised = ours::advertise(lab.host(1), &offer);
            ours.push(printed(&browser, &offer.name, advertised.started()));
            let name = format!("Theirs {}", host.number());
            let theirs = publisher.publish(host, &name, KIND, 80, &["is=plain"]);
            avahis.push(printed(&browser, &name, theirs.started()));
        }
        let ((our_median, ours), (avahis_median, avahis)) = (figures(&ours), figures(&avahis));
        report(&format!("FIGURE: advertise to printed by avahi-browse: {ours}; avahi-publish to that: {avahis}"));
        assert!(our_median <= avahis_median + LUCK, "{ours}; {avahis}");
        Ok(())
    });
}
