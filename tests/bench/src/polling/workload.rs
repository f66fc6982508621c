//! Lengths of export tasks: log-normal distributions with fixed seeds.

use std::f64::consts::TAU;

use fastrand::Rng;

pub const TASKS: usize = 5_000;

/// AWS ends a task after a day.
const MAX_SECONDS: f64 = 24.0 * 3600.0;

#[derive(Clone, Copy, Debug)]
pub struct Workload {
    pub name: &'static str,
    pub median_seconds: f64,
    pub sigma: f64,
    seed: u64,
}

/// Assumed, not measured: small, typical and large log groups.
pub const WORKLOADS: [Workload; 3] = [
    Workload { name: "median_10s", median_seconds: 10.0, sigma: 1.0, seed: 10 },
    Workload { name: "median_45s", median_seconds: 45.0, sigma: 1.2, seed: 45 },
    Workload { name: "median_600s", median_seconds: 600.0, sigma: 1.2, seed: 600 },
];

impl Workload {
    pub fn task_seconds(&self) -> Vec<f64> {
        let mut random = Rng::with_seed(self.seed);
        (0..TASKS).map(|_| self.length(normal(&mut random))).collect()
    }

    /// A representative sample: `count` of the workload's lengths at even distances, from short to long.
    pub fn sample(&self, count: usize) -> Vec<f64> {
        let mut all = self.task_seconds();
        all.sort_by(f64::total_cmp);
        (0..count).map(|index| all[(2 * index + 1) * TASKS / (2 * count)]).collect()
    }

    fn length(&self, normal: f64) -> f64 {
        (self.median_seconds * (self.sigma * normal).exp()).min(MAX_SECONDS)
    }
}

/// A value of the standard normal distribution, by the Box-Muller transform.
fn normal(random: &mut Rng) -> f64 {
    (-2.0 * (1.0 - random.f64()).ln()).sqrt() * (TAU * random.f64()).cos()
}
