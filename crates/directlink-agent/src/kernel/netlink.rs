//! Questions to the kernel's network stack and its answers (rtnetlink(7)), blocking: whoever
//! asks is the kernel thread, inside the namespace that it asks about.

use rtnetlink::{
    packet_core::{
        NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST,
        NetlinkHeader, NetlinkMessage, NetlinkPayload,
    },
    packet_route::RouteNetlinkMessage,
    sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE},
};
use std::io;

/// A socket in the namespace in which it was opened.
#[derive(Debug)]
pub(super) struct Netlink {
    socket: Socket,
    buffer: Vec<u8>,
    sequence: u32,
}

/// What to do if the thing is there already.
#[derive(Clone, Copy, Debug)]
pub(super) enum IfThere {
    Fail,
    Replace,
}

impl Netlink {
    pub(super) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self { socket, buffer: Vec::with_capacity(MESSAGE_BYTES_MAX), sequence: 0 })
    }

    /// A change to something that is there.
    pub(super) fn change(&mut self, message: RouteNetlinkMessage) -> io::Result<()> {
        self.exchange(message, NLM_F_ACK).map(drop)
    }

    pub(super) fn create(
        &mut self,
        message: RouteNetlinkMessage,
        if_there: IfThere,
    ) -> io::Result<()> {
        let how = match if_there {
            IfThere::Fail => NLM_F_EXCL,
            IfThere::Replace => NLM_F_REPLACE,
        };
        self.exchange(message, NLM_F_ACK | NLM_F_CREATE | how).map(drop)
    }

    pub(super) fn ask(
        &mut self,
        message: RouteNetlinkMessage,
    ) -> io::Result<Vec<RouteNetlinkMessage>> {
        self.exchange(message, NLM_F_ACK)
    }

    pub(super) fn list(
        &mut self,
        message: RouteNetlinkMessage,
    ) -> io::Result<Vec<RouteNetlinkMessage>> {
        self.exchange(message, NLM_F_DUMP)
    }

    fn exchange(
        &mut self,
        message: RouteNetlinkMessage,
        flags: u16,
    ) -> io::Result<Vec<RouteNetlinkMessage>> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        header.sequence_number = self.sequence;
        let mut request = NetlinkMessage::new(header, NetlinkPayload::from(message));
        request.finalize();
        let mut bytes = vec![0; request.buffer_len()];
        request.serialize(&mut bytes);
        self.socket.send(&bytes, 0)?;
        let mut answers = Vec::new();
        loop {
            self.buffer.clear();
            let received = self.socket.recv(&mut self.buffer, 0)?;
            if self.take(received, &mut answers)? {
                return Ok(answers);
            }
        }
    }

    /// True at the end of the answer.
    fn take(&self, received: usize, answers: &mut Vec<RouteNetlinkMessage>) -> io::Result<bool> {
        for message in messages(self.buffer.get(..received).unwrap_or_default()) {
            let Some(message) = message else { continue };
            if message.header.sequence_number != self.sequence {
                // The rest of an answer that was given up.
                continue;
            }
            match message.payload {
                NetlinkPayload::Done(_) => return Ok(true),
                NetlinkPayload::Error(e) if e.code.is_none() => return Ok(true),
                NetlinkPayload::Error(e) => return Err(e.to_io()),
                NetlinkPayload::InnerMessage(answer) => answers.push(answer),
                _ => {}
            }
        }
        Ok(false)
    }
}

/// The messages of one datagram; `None` for one that cannot be read (something of another
/// kernel's about a thing that is not ours).
pub(super) fn messages(
    mut datagram: &[u8],
) -> impl Iterator<Item = Option<NetlinkMessage<RouteNetlinkMessage>>> + '_ {
    std::iter::from_fn(move || {
        let length = datagram.first_chunk().map(|&bytes| u32::from_ne_bytes(bytes))?;
        let length = usize::try_from(length).ok().filter(|&l| l >= HEADER_BYTES)?;
        let one = datagram.get(..length)?;
        datagram = datagram.get(length.next_multiple_of(4)..).unwrap_or_default();
        let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(one);
        Some(message.inspect_err(|e| tracing::debug!(error = %e, "netlink message")).ok())
    })
}

/// What the kernel fills at most in one datagram of a listing.
const MESSAGE_BYTES_MAX: usize = 256 * 1024;
const HEADER_BYTES: usize = 16;
