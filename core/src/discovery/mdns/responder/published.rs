//! What is published, and how it gets to a link and from there to its owner's ears.

use alloc::collections::BTreeMap;

use super::changes::Changes;
use super::link::Link;
use super::names::{ClaimId, Names};
use super::records::drafts;
use crate::discovery::mdns::Links;
use crate::discovery::publication::Publication;
use crate::discovery::service::ServiceName;
use crate::io::{CommandId, Event};
use crate::outbox::Outbox;
use crate::time::Instant;

/// A publication and the names it has.
#[derive(Debug)]
pub(super) struct Published {
    pub(super) publication: Publication,
    /// What replaces it once it may change again.
    pub(super) waiting: Option<Publication>,
    pub(super) changes: Changes,
    pub(super) instance: ClaimId,
    pub(super) host: ClaimId,
}

/// Makes a link say what is true now.
pub(super) fn refresh(
    link: &mut Link,
    names: &Names,
    publications: &BTreeMap<Option<CommandId>, Published>,
    links: &mut Links,
    now: Instant,
    out: &mut Outbox,
) {
    let all = publications.values().map(|published| (&published.publication, published.instance, published.host));
    let drafts = drafts(names, all, &link.interface, |id| link.is_ours(id));
    let change = link.zone.replace(drafts);
    link.tell(change, links, now, out);
}

/// Tells the owner of what is announced on a link by now, by the names it has.
pub(super) fn tell_of(
    link: &mut Link,
    names: &Names,
    publications: &BTreeMap<Option<CommandId>, Published>,
    out: &mut Outbox,
) {
    for (id, published) in publications {
        let (Some(instance), Some(host)) = (names.get(published.instance), names.get(published.host)) else { continue };
        let is_announced = link.zone.at(&instance.lower).any(|(_, own)| own.is_active && own.rounds > 0);
        let told = (instance.label.clone(), host.host_name());
        if !is_announced || link.published.get(id) == Some(&told) {
            continue;
        }
        let kind = published.publication.kind.clone();
        let name = ServiceName { instance: instance.label.clone(), kind, interface: link.index };
        out.event(Event::Published { publication: *id, name, host: told.1.clone() });
        link.published.insert(*id, told);
    }
}
