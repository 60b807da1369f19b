//! Reading the transceivers of the ports, now and then.
//!
//! A thread of its own: the way to a transceiver's memory is slow (I²C), and nothing that packets or
//! customers wait for may stand behind it. Links that have none say so at once.

use crate::transceiver;
use directlink_dataplane::module_eeprom;
use directlink_model::{evidence::Transceiver, ids::PortName};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::Duration,
};

/// What was read last, and the way to the thread, which ends with it.
#[derive(Debug)]
pub(super) struct Modules {
    asked: BTreeSet<PortName>,
    orders: Sender<BTreeSet<PortName>>,
    known: Known,
}

type Known = Arc<Mutex<BTreeMap<PortName, Transceiver>>>;

const PERIOD: Duration = Duration::from_secs(30);

impl Modules {
    /// In the calling thread's namespace, which the new thread inherits.
    pub(super) fn start() -> io::Result<Self> {
        let (orders, inbox) = channel();
        let known = Known::default();
        let kept = known.clone();
        let body = move || read_on(&inbox, &kept);
        thread::Builder::new().name("transceivers".into()).spawn(body)?;
        Ok(Self { asked: BTreeSet::new(), orders, known })
    }

    /// Of these ports, as far as was read yet; from now on they are the ones that are read.
    pub(super) fn of(&mut self, ports: &BTreeSet<PortName>) -> BTreeMap<PortName, Transceiver> {
        if self.asked != *ports {
            self.asked.clone_from(ports);
            drop(self.orders.send(ports.clone()));
        }
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn read_on(orders: &Receiver<BTreeSet<PortName>>, known: &Known) {
    let mut ports = BTreeSet::new();
    loop {
        match orders.recv_timeout(PERIOD) {
            Ok(asked) => ports = asked,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        let mut all = BTreeMap::new();
        for port in &ports {
            match module_eeprom::read(port.as_str()) {
                Ok(bytes) => {
                    let told = bytes.and_then(|bytes| transceiver::read(&bytes));
                    all.extend(told.map(|told| (port.clone(), told)));
                }
                Err(error) => tracing::debug!(%port, %error, "its transceiver cannot be read"),
            }
        }
        *known.lock().unwrap_or_else(PoisonError::into_inner) = all;
    }
}
