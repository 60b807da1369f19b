//! Chance: where the ids of a Region come from. Secrets do not; those are the machine's alone.
//!
//! As the time is (see [`crate::clock`]), it is an argument of the application, so that a whole Region can be run
//! again as it ran before.

use rand::{
    Rng, SeedableRng,
    distr::{Distribution, StandardUniform, uniform::SampleRange, uniform::SampleUniform},
    rngs::StdRng,
};
use std::sync::{Arc, Mutex, PoisonError};

/// Cheap to clone; clones draw from one source.
#[derive(Clone, Debug)]
pub struct Chance(Source);

#[derive(Clone, Debug)]
enum Source {
    Machine,
    Seed(Arc<Mutex<StdRng>>),
}

impl Chance {
    /// The machine's: never twice the same.
    pub const fn of_machine() -> Self {
        Self(Source::Machine)
    }

    /// From the same seed always the same.
    pub fn from_seed(seed: u64) -> Self {
        Self(Source::Seed(Arc::new(Mutex::new(StdRng::seed_from_u64(seed)))))
    }

    pub(crate) fn draw<T>(&self) -> T
    where
        StandardUniform: Distribution<T>,
    {
        match &self.0 {
            Source::Machine => rand::random(),
            Source::Seed(rng) => rng.lock().unwrap_or_else(PoisonError::into_inner).random(),
        }
    }

    pub(crate) fn within<T: SampleUniform>(&self, range: impl SampleRange<T>) -> T {
        match &self.0 {
            Source::Machine => rand::random_range(range),
            Source::Seed(rng) => {
                rng.lock().unwrap_or_else(PoisonError::into_inner).random_range(range)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_draws_the_same_again_and_its_clones_draw_on() {
        let draws = |chance: &Chance| [0; 4].map(|_| chance.draw::<u32>());
        let (one, same) = (Chance::from_seed(7), Chance::from_seed(7));
        assert_eq!(draws(&one), draws(&same));
        assert_eq!(draws(&one.clone()), draws(&same));
        assert_ne!(draws(&one), draws(&Chance::from_seed(8)));
        assert!((3..5).contains(&one.within(3..5)));
    }
}
