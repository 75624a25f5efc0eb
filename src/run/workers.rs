//! A few threads that hold nothing but the work: jobs go out and answers come back, and whoever drives them stays on its own thread with
//! the ledger.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Who does the work.
#[derive(Clone, Copy)]
pub enum Workers<'a> {
    /// One thread per job under way.
    Threads,
    /// The calling thread alone; of the jobs under way, this says by their number which one is done next. The simulation's
    /// seed does: answers come late, together and out of order, and the same way each time.
    Chosen(&'a (dyn Fn(usize) -> usize + Sync)),
}

impl std::fmt::Debug for Workers<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Threads => "Threads",
            Self::Chosen(_) => "Chosen",
        })
    }
}

/// Something to be done outside.
pub(super) trait Job: Send {
    /// It changes something there, and its sending is written down already: no question that waits is put before it.
    fn is_call(&self) -> bool;
}

/// So many questions are handed over for each worker: while the ledger is busy with a share of the cases, each is answered, and asked
/// the next. More would only be older when they are planned.
const QUESTIONS: usize = 4;

/// So long an answer waits for others to be recorded with, while every worker has something to do without the ledger: a commit for
/// each would take more of the ledger's time than what is written.
const GATHERING: Duration = Duration::from_millis(4);

/// How many more jobs there is room for. A call leaves with the next worker that is free; of questions, some are handed over before one
/// is, so that nobody waits for the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) calls: usize,
    /// Each call that is given takes room from them.
    pub(super) questions: usize,
}

/// Runs `work` on the jobs there is room for, `most` at a time. `turn` is called with the answers that have arrived and the room there
/// is, and returns the next jobs; the work ends when it returns none and none is under way.
///
/// With one job at a time everything happens on the calling thread, in one order that never varies.
pub(super) fn work_through<J: Job, A: Send, E>(
    workers: Workers<'_>,
    most: usize,
    work: &(dyn Fn(J) -> A + Sync),
    mut turn: impl FnMut(Vec<A>, Room) -> Result<Vec<J>, E>,
) -> Result<(), E> {
    if let Workers::Chosen(choose) = workers {
        return work_by_choice(most.max(1), choose, work, &mut turn);
    }
    if most <= 1 {
        let one = Room { calls: 1, questions: 1 };
        let mut jobs = turn(Vec::new(), one)?;
        while let Some(job) = jobs.pop() {
            jobs = turn(vec![work(job)], one)?;
        }
        return Ok(());
    }
    let waiting = Waiting::default();
    let (answers_in, answers_out) = channel();
    thread::scope(|scope| {
        // Whatever ends this, the workers end when there is nothing to wait for any more.
        let _closing = Closing(&waiting);
        for _ in 0..most {
            let answers_in = answers_in.clone();
            let waiting = &waiting;
            scope.spawn(move || serve(waiting, &answers_in, work));
        }
        drop(answers_in);
        drive(most, &waiting, &answers_out, &mut turn)
    })
}

/// Any number of answers arrive between two turns, in any order.
fn work_by_choice<J, A, E>(
    most: usize,
    choose: &dyn Fn(usize) -> usize,
    work: &dyn Fn(J) -> A,
    turn: &mut impl FnMut(Vec<A>, Room) -> Result<Vec<J>, E>,
) -> Result<(), E> {
    let mut under_way: Vec<J> = Vec::new();
    let mut arrived = Vec::new();
    loop {
        let room = most.saturating_sub(under_way.len());
        under_way.extend(turn(std::mem::take(&mut arrived), Room { calls: room, questions: room })?);
        if under_way.is_empty() {
            return Ok(());
        }
        while !under_way.is_empty() {
            let job = under_way.swap_remove(choose(under_way.len()).min(under_way.len() - 1));
            arrived.push(work(job));
            if choose(2) == 0 {
                break;
            }
        }
    }
}

/// Jobs that no worker has taken yet.
struct Waiting<J> {
    jobs: Mutex<Jobs<J>>,
    there_are_some: Condvar,
}

struct Jobs<J> {
    calls: VecDeque<J>,
    questions: VecDeque<J>,
    /// There will be no more.
    closed: bool,
}

impl<J> Default for Waiting<J> {
    fn default() -> Self {
        let jobs = Jobs { calls: VecDeque::new(), questions: VecDeque::new(), closed: false };
        Self { jobs: Mutex::new(jobs), there_are_some: Condvar::new() }
    }
}

impl<J: Job> Waiting<J> {
    fn add(&self, job: J) {
        let mut jobs = self.jobs();
        if job.is_call() { &mut jobs.calls } else { &mut jobs.questions }.push_back(job);
        drop(jobs);
        self.there_are_some.notify_one();
    }

    fn take(&self) -> Option<J> {
        let mut jobs = self.jobs();
        loop {
            if jobs.closed {
                return None;
            }
            let job = jobs.calls.pop_front();
            if let Some(job) = job.or_else(|| jobs.questions.pop_front()) {
                return Some(job);
            }
            jobs = self.there_are_some.wait(jobs).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl<J> Waiting<J> {
    fn jobs(&self) -> MutexGuard<'_, Jobs<J>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Closing<'a, J>(&'a Waiting<J>);

impl<J> Drop for Closing<'_, J> {
    fn drop(&mut self) {
        self.0.jobs().closed = true;
        self.0.there_are_some.notify_all();
    }
}

/// Answers come back with whether they are a call's.
fn serve<J: Job, A>(waiting: &Waiting<J>, answers: &Sender<(bool, A)>, work: &(dyn Fn(J) -> A + Sync)) {
    while let Some(job) = waiting.take() {
        let is_call = job.is_call();
        if answers.send((is_call, work(job))).is_err() {
            return;
        }
    }
}

fn drive<J: Job, A, E>(
    most: usize,
    waiting: &Waiting<J>,
    answers: &Receiver<(bool, A)>,
    turn: &mut impl FnMut(Vec<A>, Room) -> Result<Vec<J>, E>,
) -> Result<(), E> {
    let (mut calls, mut all) = (0_usize, 0_usize);
    let mut arrived: Vec<(bool, A)> = Vec::new();
    loop {
        let room = Room { calls: most.saturating_sub(calls), questions: (QUESTIONS * most).saturating_sub(all) };
        for job in turn(arrived.drain(..).map(|(_, answer)| answer).collect(), room)? {
            calls += usize::from(job.is_call());
            all += 1;
            waiting.add(job);
        }
        if all == 0 {
            return Ok(());
        }
        // One answer is waited for; whatever else has arrived by then is recorded with it, in one commit.
        if let Ok(answer) = answers.recv() {
            arrived.push(answer);
        }
        arrived.extend(answers.try_iter());
        let until = Instant::now() + GATHERING;
        while arrived.len() < most && all - arrived.len() > most {
            let Ok(answer) = answers.recv_timeout(until.saturating_duration_since(Instant::now())) else { break };
            arrived.push(answer);
        }
        calls -= arrived.iter().filter(|(is_call, _)| *is_call).count();
        all -= arrived.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A number to be doubled; odd ones change something.
    struct Double(u64);

    impl Job for Double {
        fn is_call(&self) -> bool {
            self.0 % 2 == 1
        }
    }

    #[track_caller]
    fn doubles_a_hundred(workers: Workers<'_>, most: usize) {
        let mut next = 0;
        let mut sum = 0;
        work_through(workers, most, &|Double(job)| job * 2, |answers: Vec<u64>, room| {
            assert!(room.calls <= most && room.questions <= QUESTIONS * most);
            sum += answers.iter().sum::<u64>();
            let is_call = next % 2 == 0;
            let given = if is_call { room.calls } else { room.questions };
            let jobs: Vec<Double> = (next + 1..=100).take(given.min(1)).map(Double).collect();
            next += u64::try_from(jobs.len()).unwrap();
            Ok::<_, ()>(jobs)
        })
        .unwrap();
        assert_eq!(sum, 10_100);
    }

    #[test]
    fn every_job_is_answered_once_whatever_the_concurrency() {
        for most in [1, 2, 3, 7] {
            doubles_a_hundred(Workers::Threads, most);
            doubles_a_hundred(Workers::Chosen(&|_| 0), most);
            doubles_a_hundred(Workers::Chosen(&|count| count - 1), most);
        }
    }

    #[test]
    fn an_error_ends_the_work_without_hanging() {
        let ended = work_through(Workers::Threads, 3, &|Double(job)| job, |answers: Vec<u64>, _| {
            if answers.is_empty() { Ok([1, 3, 2, 4].map(Double).into()) } else { Err("stop") }
        });
        assert_eq!(ended, Err("stop"));
    }

    #[test]
    fn a_call_is_done_before_the_questions_that_wait() {
        let waiting = Waiting::default();
        for job in [2, 4, 1] {
            waiting.add(Double(job));
        }
        let next = || waiting.take().map(|Double(job)| job);
        assert_eq!((next(), next(), next()), (Some(1), Some(2), Some(4)));
    }
}
