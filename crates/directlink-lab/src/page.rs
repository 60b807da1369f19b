//! The smallest web server: one page, from inside a host's namespace, for as long as the caller's
//! process lives. So that a fetch shows which host it was that answered.

use crate::netns;
use anyhow::{Context as _, Result};
use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

/// A client that says nothing for so long is let go.
const PATIENCE: Duration = Duration::from_secs(5);

/// Answers every request to `http://ADDRESS/` with this text.
///
/// # Errors
/// No such namespace or address, or its port 80 is taken.
pub fn serve(netns: &str, address: impl Into<IpAddr>, text: &str) -> Result<()> {
    let address = address.into();
    let at = SocketAddr::from((address, 80));
    // A socket stays in the namespace in which it was made, whoever uses it.
    let listener = netns::within(netns, || {
        TcpListener::bind(at).with_context(|| format!("http://{address}/ in '{netns}'"))
    })?;
    let answer = format!(
        "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{text}",
        text.len()
    );
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // One client's trouble is not the next one's.
            let _ = respond(stream, &answer);
        }
    });
    Ok(())
}

/// Reads to the end of the request's head, then answers.
fn respond(mut stream: TcpStream, answer: &str) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut head = Vec::new();
    let mut piece = [0; 1024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") && head.len() < 16 * 1024 {
        match stream.read(&mut piece)? {
            0 => return Ok(()),
            count => head.extend_from_slice(&piece[..count]),
        }
    }
    stream.write_all(answer.as_bytes())
}

/// Fetches `http://ADDRESS/` from inside a namespace.
///
/// # Errors
/// Nobody answers in time, or not with `200 OK`.
pub fn fetch(netns: &str, address: impl Into<IpAddr>, limit: Duration) -> Result<String> {
    let at = SocketAddr::from((address.into(), 80));
    let answer = netns::within(netns, || {
        let fetched = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect_timeout(&at, limit)?;
            stream.set_read_timeout(Some(limit))?;
            write!(stream, "GET / HTTP/1.0\r\nHost: {at}\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        };
        fetched().with_context(|| format!("http://{at}/"))
    })?;
    let (head, body) = answer.split_once("\r\n\r\n").context("an HTTP answer without a head")?;
    let status = head.lines().next().unwrap_or_default();
    anyhow::ensure!(status.contains(" 200 "), "http://{at}/ answers {status}");
    Ok(body.to_owned())
}
