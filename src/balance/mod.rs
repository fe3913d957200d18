//! Which of a name's addresses serves the next request: power of two choices by load.

use rand::Rng;

/// The index below `count` to use next: of two drawn at random, the one with less load.
///
/// None when there is nothing to choose from. With one or two candidates nothing is drawn.
pub fn pick(count: usize, load: impl Fn(usize) -> u32, rng: &mut impl Rng) -> Option<usize> {
    let (first, second) = match count {
        0 => return None,
        1 => return Some(0),
        2 => (0, 1),
        _ => {
            let first = rng.random_range(0..count);
            let other = rng.random_range(0..count - 1);
            (first, if other < first { other } else { other + 1 })
        }
    };
    match load(first).cmp(&load(second)) {
        std::cmp::Ordering::Less => Some(first),
        std::cmp::Ordering::Greater => Some(second),
        std::cmp::Ordering::Equal => Some(if rng.random() { first } else { second }),
    }
}

/// The index of one of `weights`, drawn in proportion to them; all alike when they add up to nothing.
pub fn pick_weighted(weights: &[f64], rng: &mut impl Rng) -> Option<usize> {
    let last = weights.len().checked_sub(1)?;
    let total: f64 = weights.iter().sum();
    if total.is_nan() || total <= 0.0 {
        return Some(rng.random_range(0..=last));
    }
    let mut left = rng.random::<f64>() * total;
    for (index, weight) in weights.iter().enumerate() {
        left -= weight;
        if left < 0.0 {
            return Some(index);
        }
    }
    Some(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::SmallRng;

    fn shares(mut pick: impl FnMut() -> Option<usize>, count: usize) -> Vec<usize> {
        let mut counts = vec![0; count];
        for _ in 0..10_000 {
            counts[pick().unwrap()] += 1;
        }
        counts
    }

    #[test]
    fn nothing_is_picked_from_nothing() {
        let mut rng = SmallRng::seed_from_u64(1);
        assert_eq!(pick(0, |_| 0, &mut rng), None);
        assert_eq!(pick_weighted(&[], &mut rng), None);
    }

    #[test]
    fn the_busier_of_two_is_never_picked() {
        let mut rng = SmallRng::seed_from_u64(2);
        assert_eq!(shares(|| pick(2, |index| [3, 1][index], &mut rng), 2), [0, 10_000]);
    }

    #[test]
    fn the_busiest_of_many_is_never_picked_and_equals_share_alike() {
        let mut rng = SmallRng::seed_from_u64(3);
        let counts = shares(|| pick(4, |index| u32::from(index == 2), &mut rng), 4);
        assert_eq!(counts[2], 0);
        for index in [0, 1, 3] {
            assert!((2_800..3_900).contains(&counts[index]), "{counts:?}");
        }
    }

    #[test]
    fn weights_are_shares() {
        let mut rng = SmallRng::seed_from_u64(4);
        let counts = shares(|| pick_weighted(&[0.7, 0.0, 0.3], &mut rng), 3);
        assert_eq!(counts[1], 0);
        assert!((6_700..7_300).contains(&counts[0]), "{counts:?}");
    }

    #[test]
    fn weights_of_nothing_share_alike() {
        let mut rng = SmallRng::seed_from_u64(5);
        let counts = shares(|| pick_weighted(&[0.0, 0.0], &mut rng), 2);
        assert!((4_700..5_300).contains(&counts[0]), "{counts:?}");
    }
}
