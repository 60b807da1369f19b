//! What a remedy shows: the lines of our own configuration.
//!
//! It is written and read like the pasted one, so that the fact which is wrong there leads to the
//! line which is right here. Its keys are hidden.

use super::{
    finding::Aspect,
    intent::{Family, Intent, PhysicalPort},
    likeness::{our_link, our_neighbour},
    reading::{At, Link, Neighbour, Reading},
    software::Language,
    text::snippet,
};

pub(super) struct Model {
    text: String,
    reading: Reading,
    intent: Intent,
}

impl Model {
    /// On the port that the customer already has, where the text names it.
    pub(super) fn new(
        language: &dyn Language,
        intent: &Intent,
        link: Option<(&str, &Link)>,
    ) -> Self {
        let mut intent = intent.with_keys_hidden();
        let parent = link.and_then(|(_, link)| link.parent.as_deref());
        if let Some(port) = parent.and_then(|name| PhysicalPort::try_from(name).ok()) {
            intent.port = Some(port);
        }
        let text = language.configuration(&intent);
        let reading = language.read(&text);
        Self { text, reading, intent }
    }

    pub(super) fn remedy(&self, aspect: Aspect, family: Family) -> String {
        let advice = aspect.advice(family);
        match self.line(aspect, family) {
            Some(line) => format!("{advice}:\n{}", snippet(&self.text, line)),
            None => format!("{}.", advice.trim_end_matches('.')),
        }
    }

    fn line(&self, aspect: Aspect, family: Family) -> Option<usize> {
        let session = self.intent.sessions.iter().find(|s| s.family() == family)?;
        let link = our_link(&self.reading, &self.intent).map(|(_, link)| link);
        let own = session.peer.customer();
        let address = |l: &Link| l.addresses.iter().find(|a| a.is == own).map(|a| a.line);
        let neighbour = our_neighbour(&self.reading, &self.intent, session);
        let said = |f: fn(&Neighbour) -> Option<usize>| neighbour.as_ref().and_then(f);
        match aspect {
            Aspect::Language => None,
            Aspect::Interface => Some(link?.line),
            Aspect::InterfaceShutdown => line(link?.shut.as_ref()),
            Aspect::Vlan => line(link?.vlan.as_ref()),
            Aspect::Address => address(link?),
            Aspect::Mask => link?.lengths.get(&own.addr()).copied().or_else(|| address(link?)),
            Aspect::Mtu => line(link?.mtu.as_ref()),
            Aspect::NeighbourAddress => said(|n| line(n.address.as_ref())),
            Aspect::NeighbourShutdown => said(|n| line(n.shut.as_ref())),
            Aspect::LocalAsn => said(|n| line(n.local_asn.as_ref()))
                .or_else(|| line(self.reading.local_asn.as_ref())),
            Aspect::RemoteAsn => said(|n| line(n.remote_asn.as_ref())),
            Aspect::Key => said(|n| line(n.key.as_ref())),
            Aspect::HoldTime => said(|n| line(n.hold_time_seconds.as_ref())),
            Aspect::Bfd => said(|n| line(n.bfd.as_ref())),
            Aspect::Family => line(neighbour.as_ref()?.families.get(&family)),
            Aspect::ImportPolicy => said(|n| line(n.policy_in.as_ref())),
            Aspect::ExportPolicy => said(|n| line(n.policy_out.as_ref())),
            Aspect::Announcement => {
                let wanted = |net: &At<_>| self.intent.announce.contains(&net.is);
                line(self.reading.permitted.iter().find(|net| wanted(net)))
            }
        }
    }
}

pub(super) fn line<T>(fact: Option<&At<T>>) -> Option<usize> {
    fact.map(|at| at.line)
}
