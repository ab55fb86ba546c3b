//! Results of jobs in the order in which the jobs were asked for, whatever order they finish in.

use alloc::collections::VecDeque;

use crate::job::{JobId, JobOutput};

/// Jobs that were asked for, each with what it is about. Whoever keeps it bounds how many there are.
#[derive(Debug)]
pub(crate) struct Ordered<T> {
    asked: VecDeque<Asked<T>>,
}

#[derive(Debug)]
struct Asked<T> {
    job: JobId,
    about: T,
    output: Option<JobOutput>,
}

impl<T> Ordered<T> {
    pub(crate) fn new() -> Self {
        Self { asked: VecDeque::new() }
    }

    /// Takes note of a job. Its result will come after those of all that were asked for before.
    pub(crate) fn ask(&mut self, job: JobId, about: T) {
        self.asked.push_back(Asked { job, about, output: None });
    }

    /// Takes a job's result over; false when it was not asked for here, or is answered already.
    pub(crate) fn done(&mut self, job: JobId, output: JobOutput) -> bool {
        let Some(asked) = self.asked.iter_mut().find(|asked| asked.job == job && asked.output.is_none()) else {
            return false;
        };
        asked.output = Some(output);
        true
    }

    /// The next result in order, if it is there.
    pub(crate) fn pop(&mut self) -> Option<(T, JobOutput)> {
        self.asked.front()?.output.as_ref()?;
        let Asked { about, output, .. } = self.asked.pop_front()?;
        Some((about, output?))
    }

    /// Whether every result was popped.
    pub(crate) fn is_empty(&self) -> bool {
        self.asked.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::random::Seed;

    fn output(number: u64) -> JobOutput {
        JobOutput::Sealed(number.to_be_bytes().to_vec())
    }

    #[test]
    fn results_come_in_the_order_of_asking_whatever_order_they_finish_in() {
        for seed in 0..100 {
            let mut random = Seed::new(&[seed; 32]).stream("ordered");
            let (mut ordered, mut pending, mut asked, mut popped) = (Ordered::new(), Vec::new(), 0_u64, 0_u64);
            while popped < 200 {
                if asked < 200 && random.u64() % 2 == 0 {
                    // Ids need not ascend.
                    let job = JobId(asked ^ 0x55);
                    ordered.ask(job, asked);
                    pending.push((job, asked));
                    asked += 1;
                } else if !pending.is_empty() {
                    let at = (random.u64() % pending.len() as u64) as usize;
                    let (job, number) = pending.swap_remove(at);
                    assert!(ordered.done(job, output(number)), "seed {seed}");
                }
                while let Some((about, result)) = ordered.pop() {
                    assert_eq!((about, result), (popped, output(popped)), "seed {seed}");
                    popped += 1;
                }
                assert_eq!(ordered.is_empty(), asked == popped, "seed {seed}");
                let first_is_pending = pending.iter().any(|(_, number)| *number == popped);
                assert_eq!(asked > popped, first_is_pending, "seed {seed}: the first of them is always unfinished");
            }
        }
    }

    #[test]
    fn a_result_nobody_asked_for_or_one_that_comes_twice_is_refused() {
        let mut ordered = Ordered::new();
        ordered.ask(JobId(1), 'a');
        ordered.ask(JobId(2), 'b');
        assert!(!ordered.done(JobId(3), output(3)));
        assert!(ordered.done(JobId(2), output(2)));
        assert!(!ordered.done(JobId(2), output(9)));
        assert_eq!(ordered.pop(), None);
        assert!(ordered.done(JobId(1), output(1)));
        assert_eq!(ordered.pop(), Some(('a', output(1))));
        assert_eq!(ordered.pop(), Some(('b', output(2))));
        assert!(!ordered.done(JobId(2), output(2)));
        assert_eq!(ordered.pop(), None);
    }
}
