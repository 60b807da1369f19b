//! Pinned tables as bytes, for who does not know their rows: the few calls of bpf(2) that aya has
//! only for rows of a type.

use nix::{errno::Errno, libc};
use std::{
    ffi::CString,
    io,
    os::{
        fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::Path,
};

/// A table.
#[derive(Debug)]
pub(crate) struct KernelMap {
    fd: OwnedFd,
    pub(crate) kind: u32,
    pub(crate) rows_max: u32,
    key_bytes: usize,
    value_bytes: usize,
    btf: u32,
    pub(crate) key_type: u32,
    pub(crate) value_type: u32,
}

/// What is done where a row is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Existing {
    Replace,
    Keep,
}

// linux/bpf.h, enum bpf_cmd and enum bpf_map_type.
const MAP_LOOKUP_ELEM: libc::c_long = 1;
const MAP_UPDATE_ELEM: libc::c_long = 2;
const MAP_GET_NEXT_KEY: libc::c_long = 4;
const OBJ_GET: libc::c_long = 7;
const OBJ_GET_INFO_BY_FD: libc::c_long = 15;
const BTF_GET_FD_BY_ID: libc::c_long = 19;
const NOEXIST: u64 = 1;
pub(crate) const ARRAY: u32 = 2;
pub(crate) const PROG_ARRAY: u32 = 3;
const PERCPU_HASH: u32 = 5;
pub(crate) const PERCPU_ARRAY: u32 = 6;
const LRU_PERCPU_HASH: u32 = 10;

impl KernelMap {
    pub(crate) fn open(pin: &Path) -> io::Result<Self> {
        let path = CString::new(pin.as_os_str().as_bytes())?;
        // pathname, then bpf_fd and file_flags
        let fd = bpf(OBJ_GET, &mut [address(path.as_ptr()), 0])?;
        let fd = owned(fd);
        // struct bpf_map_info
        let info = info::<22>(&fd)?;
        let [kind, _, key_bytes, value_bytes, rows_max] =
            [info[0], info[1], info[2], info[3], info[4]];
        Ok(Self {
            fd,
            kind,
            rows_max,
            key_bytes: key_bytes as usize,
            value_bytes: value_bytes as usize,
            btf: info[16],
            key_type: info[17],
            value_type: info[18],
        })
    }

    /// The object's BTF that the table was made with.
    pub(crate) fn btf(&self) -> io::Result<Vec<u8>> {
        // btf_id
        let fd = owned(bpf(BTF_GET_FD_BY_ID, &mut [low(self.btf)])?);
        // struct bpf_btf_info: btf, btf_size. Asked for without room it says how much it needs.
        let length = info::<8>(&fd)?[2];
        let mut bytes = vec![0_u8; length as usize];
        let mut wanted = [address(bytes.as_mut_ptr()), low(length), 0, 0];
        ask_info(&fd, &mut wanted)?;
        Ok(bytes)
    }

    pub(crate) const fn key_bytes(&self) -> usize {
        self.key_bytes
    }

    /// Of one processor, where each has its own.
    pub(crate) const fn value_bytes(&self) -> usize {
        self.value_bytes
    }

    /// Values are as many as there are processors, each so far from the next; or one.
    pub(crate) fn stride(&self) -> Option<usize> {
        let is_each = matches!(self.kind, PERCPU_HASH | PERCPU_ARRAY | LRU_PERCPU_HASH);
        is_each.then_some(self.value_bytes.next_multiple_of(8))
    }

    pub(crate) fn next_key(&self, key: Option<&[u8]>) -> io::Result<Option<Vec<u8>>> {
        if key.is_some_and(|key| key.len() != self.key_bytes) {
            return Err(Errno::EINVAL.into());
        }
        let mut next = vec![0_u8; self.key_bytes];
        let key = key.map_or(0, |key| address(key.as_ptr()));
        let mut wanted = [low(self.fd()), key, address(next.as_mut_ptr()), 0];
        found(bpf(MAP_GET_NEXT_KEY, &mut wanted)).map(|found| found.map(|_| next))
    }

    /// `None`: no such row.
    pub(crate) fn value(&self, key: &[u8], processors: usize) -> io::Result<Option<Vec<u8>>> {
        let mut value = vec![0_u8; self.room(processors)];
        if key.len() != self.key_bytes {
            return Err(Errno::EINVAL.into());
        }
        let mut wanted = [low(self.fd()), address(key.as_ptr()), address(value.as_mut_ptr()), 0];
        found(bpf(MAP_LOOKUP_ELEM, &mut wanted)).map(|found| found.map(|_| value))
    }

    pub(crate) fn put(
        &self,
        key: &[u8],
        value: &[u8],
        processors: usize,
        existing: Existing,
    ) -> io::Result<()> {
        if key.len() != self.key_bytes || value.len() != self.room(processors) {
            return Err(Errno::EINVAL.into());
        }
        let flags = if existing == Existing::Keep { NOEXIST } else { 0 };
        let mut row = [low(self.fd()), address(key.as_ptr()), address(value.as_ptr()), flags];
        match bpf(MAP_UPDATE_ELEM, &mut row) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            outcome => outcome.map(drop),
        }
    }

    fn room(&self, processors: usize) -> usize {
        self.stride().map_or(self.value_bytes, |stride| stride * processors)
    }

    fn fd(&self) -> u32 {
        self.fd.as_raw_fd().cast_unsigned()
    }
}

fn found(outcome: io::Result<libc::c_int>) -> io::Result<Option<libc::c_int>> {
    match outcome {
        Ok(done) => Ok(Some(done)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// The first words of what the kernel says of an object.
fn info<const WORDS: usize>(fd: &OwnedFd) -> io::Result<[u32; WORDS]> {
    let mut longs = vec![0_u64; WORDS.div_ceil(2)];
    ask_info(fd, &mut longs)?;
    let mut words = [0; WORDS];
    let halves = longs.iter().flat_map(|long| {
        let [a, b, c, d, e, f, g, h] = long.to_ne_bytes();
        [u32::from_ne_bytes([a, b, c, d]), u32::from_ne_bytes([e, f, g, h])]
    });
    words.iter_mut().zip(halves).for_each(|(word, half)| *word = half);
    Ok(words)
}

fn ask_info(fd: &OwnedFd, info: &mut [u64]) -> io::Result<()> {
    let length = u32::try_from(size_of_val(info)).map_err(io::Error::other)?;
    // bpf_fd and info_len, then info
    let mut wanted = [pair(fd.as_raw_fd().cast_unsigned(), length), address(info.as_mut_ptr())];
    bpf(OBJ_GET_INFO_BY_FD, &mut wanted).map(drop)
}

fn low(word: u32) -> u64 {
    pair(word, 0)
}

/// Two words as they lie one after the other.
fn pair(first: u32, second: u32) -> u64 {
    let ([a, b, c, d], [e, f, g, h]) = (first.to_ne_bytes(), second.to_ne_bytes());
    u64::from_ne_bytes([a, b, c, d, e, f, g, h])
}

fn address<T>(pointer: *const T) -> u64 {
    pointer.expose_provenance() as u64
}

#[allow(unsafe_code)]
fn owned(fd: libc::c_int) -> OwnedFd {
    // SAFETY: a descriptor that bpf(2) has just returned, which is nobody else's.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// `attributes` is the head of a `union bpf_attr`; the kernel takes what it does not have for zero.
#[allow(unsafe_code)]
fn bpf(command: libc::c_long, attributes: &mut [u64]) -> io::Result<libc::c_int> {
    let bytes = size_of_val(attributes);
    // SAFETY: every caller is in this file. The union is as long as it says, and what its
    // addresses point to outlives the call and is as long as the command reads or writes there:
    // a terminated path, an info of the length that it names, keys and values whose lengths were
    // compared with the table's own.
    let outcome = unsafe { libc::syscall(libc::SYS_bpf, command, attributes.as_mut_ptr(), bytes) };
    let fd = Errno::result(outcome)?;
    libc::c_int::try_from(fd).map_err(io::Error::other)
}
