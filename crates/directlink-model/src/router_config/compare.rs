//! A reading against the intent: what is unlike, in the order in which a session comes up.

use super::{
    finding::{Aspect, Finding, Weight},
    intent::{Family, Intent, Session},
    likeness::{asn, our_link, our_neighbour},
    model::{Model, line},
    reading::{At, KeySeen, Link, Neighbour, Reading},
    software::Language,
};

pub(super) fn compare(language: &dyn Language, text: &str, intent: &Intent) -> Vec<Finding> {
    let reading = language.read(text);
    let link = our_link(&reading, intent);
    let mut comparison = Comparison {
        model: Model::new(language, intent, link),
        reading: &reading,
        intent,
        language,
        findings: vec![],
    };
    if reading.is_empty() {
        comparison.add(
            None,
            Aspect::Language,
            Family::V4,
            "nothing that this reader knows",
            "a configuration",
        );
        return comparison.findings;
    }
    comparison.link(link);
    for session in &intent.sessions {
        comparison.session(session);
    }
    comparison.findings
}

struct Comparison<'a> {
    reading: &'a Reading,
    intent: &'a Intent,
    model: Model,
    language: &'a dyn Language,
    findings: Vec<Finding>,
}

impl Comparison<'_> {
    fn add(
        &mut self,
        line: Option<usize>,
        aspect: Aspect,
        family: Family,
        found: impl Into<String>,
        expected: impl Into<String>,
    ) {
        self.findings.push(Finding {
            line,
            aspect,
            weight: Weight::Wrong,
            found: found.into(),
            expected: expected.into(),
            remedy: self.model.remedy(aspect, family),
        });
    }

    fn doubt(&mut self) {
        if let Some(last) = self.findings.last_mut() {
            last.weight = Weight::Doubtful;
        }
    }

    fn link(&mut self, link: Option<(&str, &Link)>) {
        let family = self.intent.sessions.first().map_or(Family::V4, Session::family);
        let vlan = self.intent.vlan.to_string();
        let Some((_, link)) = link else {
            if !self.language.links_elsewhere() {
                self.add(
                    None,
                    Aspect::Interface,
                    family,
                    "no such sub-interface",
                    format!("one for VLAN {vlan}"),
                );
            }
            return;
        };
        let parents = std::iter::successors(Some(link), |l| {
            self.reading.links.get(l.parent.as_ref()?).filter(|parent| parent.line != l.line)
        });
        let shut = parents.take(4).find_map(|l| l.shut.filter(|shut| shut.is));
        if let Some(shut) = shut {
            self.add(Some(shut.line), Aspect::InterfaceShutdown, family, "shut down", "enabled");
        }
        match &link.vlan {
            Some(seen) if seen.is == vlan => {}
            Some(seen) => self.add(Some(seen.line), Aspect::Vlan, family, &seen.is, vlan),
            None if self.language.links_elsewhere() => {}
            None => self.add(Some(link.line), Aspect::Vlan, family, "no tag", vlan),
        }
        for session in &self.intent.sessions {
            self.address(link, session);
        }
        self.mtu(link, family);
    }

    fn address(&mut self, link: &Link, session: &Session) {
        let (own, theirs, family) =
            (session.peer.customer(), session.peer.router().addr(), session.family());
        let of_family: Vec<_> =
            link.addresses.iter().filter(|a| Family::of(a.is.addr()) == family).collect();
        if of_family.iter().any(|a| a.is == own) {
            return;
        }
        let near = of_family.iter().find(|a| own.contains(&a.is.addr()));
        let nearest = near.or_else(|| of_family.first()).copied();
        match nearest {
            Some(seen) if seen.is.addr() == own.addr() => {
                let (found, expected) = (seen.is.prefix_len(), own.prefix_len());
                let line = link.lengths.get(&own.addr()).copied().unwrap_or(seen.line);
                self.add(
                    Some(line),
                    Aspect::Mask,
                    family,
                    format!("/{found}"),
                    format!("/{expected}"),
                );
            }
            Some(seen) if seen.is.addr() == theirs => {
                let found = format!("{}, which is DirectLink's side", seen.is);
                self.add(Some(seen.line), Aspect::Address, family, found, own.to_string());
            }
            Some(seen) => {
                self.add(
                    Some(seen.line),
                    Aspect::Address,
                    family,
                    seen.is.to_string(),
                    own.to_string(),
                );
            }
            None if self.language.links_elsewhere() => {}
            None => {
                let found = format!("no {family} address");
                self.add(Some(link.line), Aspect::Address, family, found, own.to_string());
            }
        }
    }

    fn mtu(&mut self, link: &Link, family: Family) {
        let wanted = u32::from(self.intent.mtu.as_u16());
        match link.mtu {
            Some(seen) if seen.is == wanted => {}
            Some(seen) => {
                self.add(
                    Some(seen.line),
                    Aspect::Mtu,
                    family,
                    seen.is.to_string(),
                    wanted.to_string(),
                );
            }
            // What every router has without being told.
            None if wanted == 1500 || self.language.links_elsewhere() => {}
            None => self.add(
                Some(link.line),
                Aspect::Mtu,
                family,
                "nothing, which is 1500",
                wanted.to_string(),
            ),
        }
    }

    fn session(&mut self, session: &Session) {
        let family = session.family();
        let theirs = session.peer.router().addr();
        let Some(neighbour) = our_neighbour(self.reading, self.intent, session) else {
            let found = format!("no {family} neighbour towards DirectLink");
            self.add(None, Aspect::NeighbourAddress, family, found, theirs.to_string());
            return;
        };
        if let Some(seen) = neighbour.address.filter(|a| a.is != theirs) {
            self.add(
                Some(seen.line),
                Aspect::NeighbourAddress,
                family,
                seen.is.to_string(),
                theirs.to_string(),
            );
        }
        if let Some(shut) = neighbour.shut.filter(|shut| shut.is) {
            self.add(Some(shut.line), Aspect::NeighbourShutdown, family, "shut down", "enabled");
        }
        let own = session.peer.customer().addr();
        if let Some(seen) = neighbour.local_address.filter(|a| a.is != own) {
            self.add(
                Some(seen.line),
                Aspect::Address,
                family,
                seen.is.to_string(),
                own.to_string(),
            );
        }
        self.numbers(&neighbour, family);
        self.key(&neighbour, session);
        self.liveness(&neighbour, family);
        self.routes(&neighbour, family);
    }

    fn numbers(&mut self, neighbour: &Neighbour, family: Family) {
        let local = neighbour.local_asn.as_ref().or(self.reading.local_asn.as_ref());
        let pairs = [
            (Aspect::LocalAsn, local, self.intent.customer_asn),
            (Aspect::RemoteAsn, neighbour.remote_asn.as_ref(), self.intent.region_asn.0),
        ];
        for (aspect, seen, wanted) in pairs {
            match seen {
                Some(seen) if asn(&seen.is) == Some(wanted) => {}
                // FRR: any number but one's own.
                Some(seen) if aspect == Aspect::RemoteAsn && seen.is == "external" => {}
                Some(seen) => {
                    self.add(Some(seen.line), aspect, family, &seen.is, wanted.to_string());
                }
                None => self.add(Some(neighbour.line), aspect, family, "none", wanted.to_string()),
            }
        }
    }

    fn key(&mut self, neighbour: &Neighbour, session: &Session) {
        let expected = match session.key {
            Some(_) => format!("the key of {}", self.intent.id),
            None => "none: the interface has no key".to_owned(),
        };
        let family = session.family();
        match (&session.key, &neighbour.key) {
            (None, None) => {}
            (Some(_), None) if self.language.hides_keys() => {
                let found = "none; a plain export does not show keys";
                self.add(Some(neighbour.line), Aspect::Key, family, found, expected);
                self.doubt();
            }
            (Some(_), None) => {
                self.add(Some(neighbour.line), Aspect::Key, family, "none", expected);
            }
            (None, Some(seen)) => self.add(Some(seen.line), Aspect::Key, family, "a key", expected),
            (Some(_), Some(At { line, is: KeySeen::Encrypted })) => {
                let found = "an encrypted key, which cannot be compared";
                self.add(Some(*line), Aspect::Key, family, found, expected);
                self.doubt();
            }
            (Some(wanted), Some(At { line, is })) => {
                if !matches!(is, KeySeen::Plain(key) if key == wanted) {
                    self.add(Some(*line), Aspect::Key, family, "another key", expected);
                }
            }
        }
    }

    fn liveness(&mut self, neighbour: &Neighbour, family: Family) {
        if let Some(seen) = neighbour.hold_time_seconds.filter(|hold| hold.is < 3) {
            self.add(
                Some(seen.line),
                Aspect::HoldTime,
                family,
                format!("{} s", seen.is),
                "3 s or more",
            );
        }
        let on = neighbour.bfd.is_some_and(|bfd| bfd.is);
        if self.intent.bfd && self.language.has_bfd() && !on {
            let line = line(neighbour.bfd.as_ref()).unwrap_or(neighbour.line);
            self.add(Some(line), Aspect::Bfd, family, "off", "on");
        }
    }

    fn routes(&mut self, neighbour: &Neighbour, family: Family) {
        let silent = neighbour.families.is_empty();
        let by_default = silent && self.reading.families_unless_said.contains(&family);
        let said = neighbour.families.get(&family);
        if !said.map_or(by_default, |on| on.is) {
            let line = line(said).unwrap_or(neighbour.line);
            self.add(Some(line), Aspect::Family, family, "not active", format!("{family} unicast"));
        }
        for (aspect, policy) in [
            (Aspect::ImportPolicy, &neighbour.policy_in),
            (Aspect::ExportPolicy, &neighbour.policy_out),
        ] {
            if policy.is_none() {
                self.add(Some(neighbour.line), aspect, family, "none", "a policy of its own");
            }
        }
        let missing: Vec<_> = (self.intent.announce.iter())
            .filter(|net| Family::of(net.addr()) == family)
            .filter(|net| !self.reading.permitted.iter().any(|p| p.is.contains(*net)))
            .collect();
        for net in missing {
            self.add(
                None,
                Aspect::Announcement,
                family,
                "in no list that permits",
                net.to_string(),
            );
            self.doubt();
        }
    }
}
