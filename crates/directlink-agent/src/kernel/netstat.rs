//! The kernel's counters of segments whose MD5 signature was not right, of one namespace.

use std::{fs, io};

/// As `/proc/net/netstat` counts them since the namespace was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SignatureCounts {
    pub(crate) absent: u64,
    pub(crate) unexpected: u64,
    pub(crate) wrong: u64,
}

/// Of the calling thread's namespace.
pub(super) fn signatures() -> io::Result<SignatureCounts> {
    fs::read_to_string("/proc/thread-self/net/netstat").map(|text| parse(&text))
}

/// A line of names, and below it a line of numbers, both beginning with the same word.
fn parse(text: &str) -> SignatureCounts {
    let mut lines = text.lines().filter(|line| line.starts_with("TcpExt:"));
    let (names, numbers) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let of = |wanted: &str| {
        let mut both = names.split_whitespace().zip(numbers.split_whitespace());
        both.find(|(name, _)| *name == wanted).and_then(|(_, n)| n.parse().ok()).unwrap_or_default()
    };
    SignatureCounts {
        absent: of("TCPMD5NotFound"),
        unexpected: of("TCPMD5Unexpected"),
        wrong: of("TCPMD5Failure"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_found_by_name_wherever_the_kernel_puts_them() {
        let text = "TcpExt: SyncookiesSent TCPMD5NotFound TCPMD5Unexpected TCPMD5Failure X\n\
                    TcpExt: 1 2 3 4 5\nIpExt: InNoRoutes\nIpExt: 9\n";
        let expected = SignatureCounts { absent: 2, unexpected: 3, wrong: 4 };
        assert_eq!(parse(text), expected);
        for cut in ["", "TcpExt: TCPMD5Failure", "TcpExt: TCPMD5Failure\nTcpExt: x\n"] {
            assert_eq!(parse(cut), SignatureCounts::default(), "{cut}");
        }
    }
}
