//! What is on its way to the server, and how much of it there may be.

use directlink_channel::{Report, from_router::Message};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The longest part of a report.
pub(super) const PART: usize = 1 << 20;

/// On its way. A report has a place, which is free again when all of it has left.
#[derive(Debug)]
pub(super) struct Leaving {
    pub(super) message: Message,
    _place: Option<Place>,
}

pub(crate) type Place = Arc<OwnedSemaphorePermit>;

/// For rounds of reports, one at a time: a server that takes none does not fill our memory with what it has not heard.
#[derive(Debug)]
pub(crate) struct Places(Arc<Semaphore>);

impl Default for Places {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

impl Places {
    /// If all of the round before has left.
    pub(crate) fn take(&self) -> Option<Place> {
        Arc::clone(&self.0).try_acquire_owned().ok().map(Arc::new)
    }

    /// Waits until there is one to take.
    pub(crate) async fn wait(&self) {
        // It is never closed.
        drop(self.0.acquire().await);
    }
}

impl Leaving {
    pub(super) fn report(part: Report, place: &Place) -> Self {
        Self { message: Message::Report(part), _place: Some(Arc::clone(place)) }
    }
}

impl From<Message> for Leaving {
    fn from(message: Message) -> Self {
        Self { message, _place: None }
    }
}

/// A document of so many bytes at most in each. Most are one.
pub(super) fn parts(document: Vec<u8>, longest: usize) -> Vec<Report> {
    if document.len() <= longest {
        return vec![Report { document, continues: false }];
    }
    let all = document.chunks(longest).map(<[u8]>::to_vec);
    let mut parts: Vec<_> = all.map(|document| Report { document, continues: true }).collect();
    parts.last_mut().into_iter().for_each(|last| last.continues = false);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_leaves_in_parts_of_which_the_last_says_so() {
        let document: Vec<u8> = (0..10).collect();
        for (longest, lengths) in [(10, vec![10]), (4, vec![4, 4, 2]), (5, vec![5, 5])] {
            let parts = parts(document.clone(), longest);
            let last = parts.len() - 1;
            let together: Vec<u8> = parts.iter().flat_map(|part| part.document.clone()).collect();
            assert_eq!(together, document);
            assert_eq!(parts.iter().map(|p| p.document.len()).collect::<Vec<_>>(), lengths);
            assert!(parts.iter().enumerate().all(|(n, part)| part.continues == (n < last)));
        }
        assert_eq!(parts(vec![], 4).len(), 1);
    }

    #[tokio::test]
    async fn there_is_no_place_for_reports_until_all_that_were_said_before_have_left() {
        let places = Places::default();
        let place = places.take().unwrap();
        let [first, second] = [(); 2].map(|()| Leaving::report(Report::default(), &place));
        drop(place);
        drop(first);
        assert!(places.take().is_none());
        drop(second);
        places.wait().await;
        assert!(places.take().is_some());
    }
}
