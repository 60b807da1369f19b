//! UPDATE and its neighbours between the codec crate's types and ours.
//!
//! Reading answers RFC 7606's question first: is the session to be reset, are the routes to be
//! withdrawn, or is only an attribute to be dropped? What is left is split in the *attribute set*
//! (wire bytes in one canonical form: 4-octet AS numbers, no NLRI, nothing that an eBGP peer has
//! no say in) and the prefixes that share it.
//!
//! ```text
//!  UPDATE │ withdrawn │ ORIGIN AS_PATH NEXT_HOP … MP_UNREACH MP_REACH │ NLRI │
//!              │                 └──── set ────┘       │        │         │
//!              └──────── withdrawn ◄───────────────────┘        └ reach ◄─┘
//! ```

use crate::{Attributes, Family, Notification, Refusal, policy::GRACEFUL_SHUTDOWN, rib::Export};
use bytes::{Bytes, BytesMut};
use directlink_net::Asn;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use rustbgpd_wire::attribute::{decode_path_attributes, encode_path_attributes};
use rustbgpd_wire::constants::attr_type;
use rustbgpd_wire::{
    AsPath, AsPathSegment, DecodeError, ErrorDisposition, Ipv4NlriEntry, Ipv4Prefix,
    Ipv4UnicastMode, Ipv6Prefix, MalformedAttribute, Message, MpReachNlri, MpUnreachNlri,
    NlriEntry, NotificationCode, Origin, PathAttribute, Prefix, RevisedParsedUpdate,
    RouteRefreshMessage, RouteRefreshSubtype, UpdateMessage,
};
use std::net::IpAddr;

/// An attribute set in canonical form: equal sets are equal keys.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SetKey {
    pub(crate) wire: Bytes,
    /// Where it is not among the bytes: MP_REACH_NLRI carries its own.
    pub(crate) next_hop: Option<IpAddr>,
}

/// An UPDATE that does not reset the session.
#[derive(Debug, Default)]
pub(crate) struct Update {
    pub(crate) withdrawn: Vec<IpNet>,
    pub(crate) reach: Vec<Reach>,
    pub(crate) end_of_rib: Option<Family>,
}

/// Prefixes that share what is said of them.
#[derive(Debug)]
pub(crate) struct Reach {
    pub(crate) prefixes: Vec<IpNet>,
    pub(crate) set: Result<(SetKey, Attributes), Refusal>,
}

impl SetKey {
    /// The set as it came, where only the body's NLRI uses it. If a set was stored under this key
    /// the UPDATE need not be parsed: equal bytes were found valid before.
    pub(crate) fn of_body(update: &UpdateMessage) -> Option<Self> {
        let body_only = !update.nlri.is_empty();
        body_only.then(|| Self { wire: update.path_attributes.clone(), next_hop: None })
    }
}

/// What a set says that was stored under its key.
pub(crate) fn read_set(wire: &[u8], next_hop: Option<IpAddr>) -> Option<Attributes> {
    let list = decode_path_attributes(wire, true, &[]).ok()?;
    Attributes::from_wire(&list, next_hop)
}

/// # Errors
/// The NOTIFICATION to reset the session with, where the NLRI cannot be trusted (RFC 7606 §3 j).
pub(crate) fn read_update(
    update: &UpdateMessage,
    four_octet_as: bool,
) -> Result<Update, Notification> {
    if let Some(family) = end_of_rib(update) {
        return Ok(Update { end_of_rib: Some(family), ..Default::default() });
    }
    let RevisedParsedUpdate { update: parsed, malformed } =
        update.parse_revised(four_octet_as, false, false, &[]).map_err(|e| reset_for(&e))?;
    let mut read = Update {
        withdrawn: parsed.withdrawn.iter().map(|entry| net_v4(entry.prefix)).collect(),
        ..Default::default()
    };
    let mut mp_reach = None;
    for attribute in &parsed.attributes {
        match attribute {
            PathAttribute::MpUnreachNlri(mp) => read.withdrawn.extend(unicast(&mp.withdrawn)),
            PathAttribute::MpReachNlri(mp) => mp_reach = Some(mp),
            _ => {}
        }
    }
    let body: Vec<_> = parsed.announced.iter().map(|entry| net_v4(entry.prefix)).collect();
    let has_nlri = !body.is_empty() || mp_reach.is_some();
    let refusal = worst(&parsed.attributes, &malformed, has_nlri, !body.is_empty())?;
    if !has_nlri {
        return Ok(read);
    }
    let set = |next_hop| match refusal {
        Some(refusal) => Err(refusal),
        None => {
            canonical(update, &parsed.attributes, four_octet_as && malformed.is_empty(), next_hop)
        }
    };
    if !body.is_empty() {
        read.reach.push(Reach { prefixes: body, set: set(None) });
    }
    if let Some(mp) = mp_reach.filter(|mp| Family::from_wire(mp.afi, mp.safi).is_some()) {
        let prefixes = unicast(&mp.announced).collect();
        read.reach.push(Reach { prefixes, set: set(Some(mp.next_hop)) });
    }
    Ok(read)
}

/// The body's prefixes of an UPDATE whose set is known already: withdrawn, announced.
///
/// # Errors
/// As [`read_update`].
pub(crate) fn read_body_nlri(
    update: &UpdateMessage,
) -> Result<(Vec<IpNet>, Vec<IpNet>), Notification> {
    let nets = |field: &Bytes| {
        rustbgpd_wire::nlri::decode_nlri(field)
            .map(|prefixes| prefixes.into_iter().map(net_v4).collect())
            .map_err(|e| reset_for(&e))
    };
    Ok((nets(&update.withdrawn_routes)?, nets(&update.nlri)?))
}

/// Announcements of `prefixes` (of one family), packed into as few messages as they need.
pub(crate) fn announce(
    prefixes: &[IpNet],
    export: &Export,
    local_asn: Asn,
    four_octet_as: bool,
) -> Vec<Bytes> {
    let hops = usize::from(export.prepend) + 1;
    let path = AsPath { segments: vec![AsPathSegment::AsSequence(vec![local_asn.as_u32(); hops])] };
    let mut shared = vec![PathAttribute::Origin(Origin::Igp), PathAttribute::AsPath(path)];
    shared.extend(export.med.map(PathAttribute::Med));
    let community = export.graceful_shutdown.then(|| vec![GRACEFUL_SHUTDOWN]);
    let build = |chunk: &[IpNet]| {
        let mut attributes = shared.clone();
        let body = match export.next_hop {
            IpAddr::V4(addr) => {
                attributes.push(PathAttribute::NextHop(addr));
                attributes.extend(community.clone().map(PathAttribute::Communities));
                chunk.iter().filter_map(entry_v4).collect()
            }
            IpAddr::V6(_) => {
                attributes.extend(community.clone().map(PathAttribute::Communities));
                attributes.push(PathAttribute::MpReachNlri(Box::new(mp_reach(
                    export.next_hop,
                    chunk.iter().map(entry).collect(),
                ))));
                Vec::new()
            }
        };
        let mode = Ipv4UnicastMode::Body;
        UpdateMessage::try_build(&body, &[], &attributes, four_octet_as, false, mode)
    };
    prefixes.chunks(PREFIXES_PER_UPDATE).filter_map(|chunk| bytes_of(build(chunk).ok()?)).collect()
}

/// Announcements of `prefixes` (of one family) with a set as it is kept: its bytes stay what they
/// are, and MP_REACH_NLRI is put back where it was.
pub(crate) fn announce_set(set: &[u8], next_hop: Option<IpAddr>, prefixes: &[IpNet]) -> Vec<Bytes> {
    let octets = prefixes.iter().map(nlri_octets).max().unwrap_or_default();
    let room = MESSAGE_MAX.saturating_sub(HEADER + 4 + set.len() + MP_REACH_OCTETS);
    // A set of an extended message (RFC 8654) leaves no room: then each prefix has one of its own.
    let fit = room.checked_div(octets).unwrap_or_default().max(1);
    prefixes.chunks(fit).filter_map(|chunk| update_of_set(set, next_hop, chunk)).collect()
}

fn update_of_set(set: &[u8], next_hop: Option<IpAddr>, prefixes: &[IpNet]) -> Option<Bytes> {
    let mut nlri = Vec::new();
    for prefix in prefixes {
        let octets = nlri_octets(prefix) - 1;
        nlri.push(prefix.prefix_len());
        match prefix.addr() {
            IpAddr::V4(addr) => nlri.extend(&addr.octets()[..octets]),
            IpAddr::V6(addr) => nlri.extend(&addr.octets()[..octets]),
        }
    }
    let mut attributes = set.to_vec();
    if let Some(next_hop) = next_hop {
        let (afi, safi) = Family::of_net(prefixes.first()?).wire();
        let hop = match next_hop {
            IpAddr::V4(addr) => addr.octets().to_vec(),
            IpAddr::V6(addr) => addr.octets().to_vec(),
        };
        let mut value = (afi as u16).to_be_bytes().to_vec();
        value.extend([safi as u8, hop.len() as u8]);
        value.extend(hop);
        value.push(0);
        value.append(&mut nlri);
        // Optional, of extended length (RFC 4271 §4.3).
        attributes.extend([0x90, attr_type::MP_REACH_NLRI]);
        attributes.extend(u16::try_from(value.len()).ok()?.to_be_bytes());
        attributes.extend(value);
    }
    let length = u16::try_from(HEADER + 4 + attributes.len() + nlri.len()).ok()?;
    let mut message = vec![0xff; 16];
    message.extend(length.to_be_bytes());
    message.extend([UPDATE, 0, 0]);
    message.extend(u16::try_from(attributes.len()).ok()?.to_be_bytes());
    message.extend(attributes);
    message.extend(nlri);
    Some(message.into())
}

/// Its length, and as much of its address as that says.
fn nlri_octets(prefix: &IpNet) -> usize {
    1 + usize::from(prefix.prefix_len().div_ceil(8))
}

/// Withdrawals of `prefixes` (of one family).
pub(crate) fn withdraw(prefixes: &[IpNet]) -> Vec<Bytes> {
    let build = |chunk: &[IpNet]| {
        let body: Vec<_> = chunk.iter().filter_map(entry_v4).collect();
        let v6: Vec<_> =
            chunk.iter().filter(|net| matches!(net, IpNet::V6(_))).map(entry).collect();
        let attributes: Vec<_> = (!v6.is_empty())
            .then(|| PathAttribute::MpUnreachNlri(Box::new(mp_unreach(Family::Ipv6Unicast, v6))))
            .into_iter()
            .collect();
        UpdateMessage::try_build(&[], &body, &attributes, true, false, Ipv4UnicastMode::Body)
    };
    prefixes.chunks(PREFIXES_PER_UPDATE).filter_map(|chunk| bytes_of(build(chunk).ok()?)).collect()
}

/// End-of-RIB (RFC 4724 §2).
pub(crate) fn end_of_rib_marker(family: Family) -> Option<Bytes> {
    let attributes = match family {
        Family::Ipv4Unicast => vec![],
        Family::Ipv6Unicast => {
            vec![PathAttribute::MpUnreachNlri(Box::new(mp_unreach(family, vec![])))]
        }
    };
    let mode = Ipv4UnicastMode::Body;
    bytes_of(UpdateMessage::try_build(&[], &[], &attributes, true, false, mode).ok()?)
}

/// ROUTE-REFRESH and its two brackets (RFC 2918, RFC 7313).
pub(crate) fn route_refresh(family: Family, subtype: RouteRefreshSubtype) -> Option<Bytes> {
    let (afi, safi) = family.wire();
    let message = RouteRefreshMessage::new_with_subtype(afi, safi, subtype);
    encode(&Message::RouteRefresh(message))
}

/// `None` for what cannot be put on the wire; nothing that this crate builds is so.
pub(crate) fn encode(message: &Message) -> Option<Bytes> {
    rustbgpd_wire::encode_message(message).ok().map(BytesMut::freeze)
}

/// The strongest RFC 7606 disposition: `Ok(None)` to go on, `Ok(Some)` to treat as withdrawn.
fn worst(
    attributes: &[PathAttribute],
    malformed: &[MalformedAttribute],
    has_nlri: bool,
    has_body_nlri: bool,
) -> Result<Option<Refusal>, Notification> {
    if let Some(fatal) = malformed.iter().find(|m| m.disposition == ErrorDisposition::SessionReset)
    {
        return Err(reset_for(&fatal.error));
    }
    let withdrawn = malformed.iter().find(|m| m.disposition == ErrorDisposition::TreatAsWithdraw);
    if let Some(found) = withdrawn {
        return Ok(Some(match found.error {
            DecodeError::ProhibitedAsSet { .. } => Refusal::ProhibitedAsSet,
            _ if names_as_zero(found) => Refusal::ReservedAs,
            _ => Refusal::Malformed { attribute: found.type_code },
        }));
    }
    let checked = rustbgpd_wire::validate::validate_update_attributes_with_context(
        attributes,
        has_nlri,
        has_body_nlri,
        true,
        Default::default(),
    );
    match checked {
        Ok(()) => Ok(None),
        Err(found) if found.error.disposition == ErrorDisposition::SessionReset => {
            Err(Notification {
                code: NotificationCode::UpdateMessage.as_u8(),
                subcode: found.error.subcode,
                data: found.error.data,
            })
        }
        Err(found) if found.error.disposition == ErrorDisposition::TreatAsWithdraw => {
            Ok(Some(Refusal::Malformed { attribute: found.type_code }))
        }
        Err(_) => Ok(None),
    }
}

/// Whether an AS_PATH is refused because AS 0 is in it (RFC 7607). The codec says so in words
/// only; it is pinned, and a test reads them.
fn names_as_zero(found: &MalformedAttribute) -> bool {
    matches!(&found.error, DecodeError::UpdateAttributeError { detail, .. }
        if found.type_code == attr_type::AS_PATH && detail.contains("RFC 7607"))
}

/// `as_received`: the bytes are canonical but for attributes that we drop.
fn canonical(
    update: &UpdateMessage,
    list: &[PathAttribute],
    as_received: bool,
    next_hop: Option<IpAddr>,
) -> Result<(SetKey, Attributes), Refusal> {
    let missing = Refusal::Malformed { attribute: 0 };
    let attributes = Attributes::from_wire(list, next_hop).ok_or(missing)?;
    // LOCAL_PREF (RFC 4271 §5.1.5), ORIGINATOR_ID and CLUSTER_LIST (RFC 7606 §7.9, 7.10) from an
    // external peer mean nothing; NLRI is not an attribute of the set.
    let dropped = |attribute: &PathAttribute| {
        matches!(
            attribute.type_code(),
            attr_type::LOCAL_PREF
                | attr_type::ORIGINATOR_ID
                | attr_type::CLUSTER_LIST
                | attr_type::MP_REACH_NLRI
                | attr_type::MP_UNREACH_NLRI
        ) || (next_hop.is_some() && attribute.type_code() == attr_type::NEXT_HOP)
    };
    if as_received && !list.iter().any(dropped) {
        return Ok((SetKey { wire: update.path_attributes.clone(), next_hop }, attributes));
    }
    let kept: Vec<_> = list.iter().filter(|attribute| !dropped(attribute)).cloned().collect();
    let mut wire = Vec::new();
    encode_path_attributes(&kept, &mut wire, true, false).map_err(|_| missing)?;
    Ok((SetKey { wire: wire.into(), next_hop }, attributes))
}

/// An UPDATE that says nothing (IPv4), or nothing but an empty MP_UNREACH_NLRI.
fn end_of_rib(update: &UpdateMessage) -> Option<Family> {
    if !update.withdrawn_routes.is_empty() || !update.nlri.is_empty() {
        return None;
    }
    // flags, type, length (1 or 2 octets, RFC 4271 §4.3), AFI, SAFI
    let [afi_high, afi_low, safi] = match *update.path_attributes {
        [] => return Some(Family::Ipv4Unicast),
        [flags, attr_type::MP_UNREACH_NLRI, 3, a, b, c] if flags & 0x10 == 0 => [a, b, c],
        [flags, attr_type::MP_UNREACH_NLRI, 0, 3, a, b, c] if flags & 0x10 != 0 => [a, b, c],
        _ => return None,
    };
    let afi = u16::from_be_bytes([afi_high, afi_low]);
    Family::ALL.into_iter().find(|family| {
        let (known_afi, known_safi) = family.wire();
        (known_afi as u16, known_safi as u8) == (afi, safi)
    })
}

fn reset_for(error: &DecodeError) -> Notification {
    let (code, subcode, data) = error.to_notification();
    Notification { code: code.as_u8(), subcode, data: data.to_vec() }
}

fn bytes_of(update: UpdateMessage) -> Option<Bytes> {
    encode(&Message::Update(update))
}

fn unicast(entries: &[NlriEntry]) -> impl Iterator<Item = IpNet> {
    entries.iter().map(|entry| match entry.prefix {
        Prefix::V4(prefix) => net_v4(prefix),
        Prefix::V6(Ipv6Prefix { addr, len }) => IpNet::V6(Ipv6Net::new_assert(addr, len)),
    })
}

/// The codec clamps the length to 32 and clears host bits, so that this cannot fail.
fn net_v4(prefix: Ipv4Prefix) -> IpNet {
    IpNet::V4(Ipv4Net::new_assert(prefix.addr, prefix.len))
}

fn entry(net: &IpNet) -> NlriEntry {
    let prefix = match net {
        IpNet::V4(v4) => Prefix::V4(Ipv4Prefix::new(v4.addr(), v4.prefix_len())),
        IpNet::V6(v6) => Prefix::V6(Ipv6Prefix::new(v6.addr(), v6.prefix_len())),
    };
    NlriEntry { path_id: 0, prefix }
}

fn entry_v4(net: &IpNet) -> Option<Ipv4NlriEntry> {
    match entry(net).prefix {
        Prefix::V4(prefix) => Some(Ipv4NlriEntry { path_id: 0, prefix }),
        Prefix::V6(_) => None,
    }
}

fn mp_reach(next_hop: IpAddr, announced: Vec<NlriEntry>) -> MpReachNlri {
    let (afi, safi) = Family::of(next_hop).wire();
    MpReachNlri {
        afi,
        safi,
        next_hop,
        link_local_next_hop: None,
        announced,
        flowspec_announced: vec![],
        evpn_announced: vec![],
        bgpls_announced: vec![],
        vpn_announced: vec![],
        labeled_announced: vec![],
        rtc_announced: vec![],
    }
}

fn mp_unreach(family: Family, withdrawn: Vec<NlriEntry>) -> MpUnreachNlri {
    let (afi, safi) = family.wire();
    MpUnreachNlri {
        afi,
        safi,
        withdrawn,
        flowspec_withdrawn: vec![],
        evpn_withdrawn: vec![],
        bgpls_withdrawn: vec![],
        vpn_withdrawn: vec![],
        labeled_withdrawn: vec![],
        rtc_withdrawn: vec![],
    }
}

/// RFC 4271 §4.1.
const HEADER: usize = 19;
const MESSAGE_MAX: usize = 4096;
const UPDATE: u8 = 2;
/// Beside the prefixes: flags, type and length, AFI, SAFI, a next hop with its length, a reserved
/// octet.
const MP_REACH_OCTETS: usize = 4 + 3 + 17 + 1;

/// 200 IPv6 prefixes take at most 3,400 octets of a message's 4,096.
const PREFIXES_PER_UPDATE: usize = 200;
