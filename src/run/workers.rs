//! A few threads that hold nothing but the work: jobs go out and answers come back over two bounded channels, and whoever
//! drives them stays on its own thread with the ledger.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

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

/// How many jobs there is room for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// At most so many are being done at a time.
    pub(super) under_way: usize,
    /// So many more are handed over before one is free to do them, and nobody waits for the ledger. Only for questions: what
    /// changes something leaves the moment it is written down.
    pub(super) ahead: usize,
}

impl Room {
    pub(super) fn only(under_way: usize) -> Self {
        Self { under_way, ahead: 0 }
    }
}

/// Runs `work` on the jobs there is room for. `turn` is called with the answers that have arrived and the number of jobs there
/// is room for, and returns the next jobs; the work ends when it returns none and none is under way.
///
/// With one job at a time everything happens on the calling thread, in one order that never varies.
pub(super) fn work_through<J: Send, A: Send, E>(
    workers: Workers<'_>,
    room: Room,
    work: &(dyn Fn(J) -> A + Sync),
    mut turn: impl FnMut(Vec<A>, usize) -> Result<Vec<J>, E>,
) -> Result<(), E> {
    if let Workers::Chosen(choose) = workers {
        return work_by_choice(room.under_way.max(1), choose, work, &mut turn);
    }
    if room.under_way <= 1 {
        let mut jobs = turn(Vec::new(), 1)?;
        while let Some(job) = jobs.pop() {
            jobs = turn(vec![work(job)], 1)?;
        }
        return Ok(());
    }
    let most = room.under_way + room.ahead;
    let (jobs_in, jobs_out) = sync_channel::<J>(most);
    let (answers_in, answers_out) = sync_channel::<A>(most);
    let jobs_out = Mutex::new(jobs_out);
    thread::scope(|scope| {
        for _ in 0..room.under_way {
            let answers_in = answers_in.clone();
            let jobs_out = &jobs_out;
            scope.spawn(move || serve(jobs_out, &answers_in, work));
        }
        drop(answers_in);
        drive(most, &jobs_in, &answers_out, &mut turn)?;
        // The workers end when the last sender of jobs is gone.
        drop(jobs_in);
        Ok(())
    })
}

/// Any number of answers arrive between two turns, in any order.
fn work_by_choice<J, A, E>(
    concurrency: usize,
    choose: &dyn Fn(usize) -> usize,
    work: &dyn Fn(J) -> A,
    turn: &mut impl FnMut(Vec<A>, usize) -> Result<Vec<J>, E>,
) -> Result<(), E> {
    let mut under_way: Vec<J> = Vec::new();
    let mut arrived = Vec::new();
    loop {
        let room = concurrency.saturating_sub(under_way.len());
        under_way.extend(turn(std::mem::take(&mut arrived), room)?);
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

fn serve<J, A>(jobs: &Mutex<Receiver<J>>, answers: &SyncSender<A>, work: &(dyn Fn(J) -> A + Sync)) {
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        if answers.send(work(job)).is_err() {
            return;
        }
    }
}

fn drive<J, A, E>(
    most: usize,
    jobs: &SyncSender<J>,
    answers: &Receiver<A>,
    turn: &mut impl FnMut(Vec<A>, usize) -> Result<Vec<J>, E>,
) -> Result<(), E> {
    let mut under_way = 0_usize;
    let mut arrived = Vec::new();
    loop {
        for job in turn(std::mem::take(&mut arrived), most - under_way)? {
            if jobs.send(job).is_ok() {
                under_way += 1;
            }
        }
        if under_way == 0 {
            return Ok(());
        }
        // One answer is waited for; whatever else has arrived by then is recorded with it.
        if let Ok(answer) = answers.recv() {
            arrived.push(answer);
        }
        arrived.extend(answers.try_iter());
        under_way = under_way.saturating_sub(arrived.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn doubles_a_hundred(workers: Workers<'_>, room: Room) {
        let mut next = 0;
        let mut sum = 0;
        let most = room.under_way + room.ahead;
        work_through(workers, room, &|job: u64| job * 2, |answers: Vec<u64>, room| {
            assert!(room <= most);
            sum += answers.iter().sum::<u64>();
            let jobs: Vec<u64> = (0..room).map(|_| next + 1).take_while(|job| *job <= 100).take(1).collect();
            next += u64::try_from(jobs.len()).unwrap();
            Ok::<_, ()>(jobs)
        })
        .unwrap();
        assert_eq!(sum, 10_100);
    }

    #[test]
    fn every_job_is_answered_once_whatever_the_concurrency() {
        for (under_way, ahead) in [(1, 0), (2, 0), (7, 0), (1, 1), (2, 2), (3, 7)] {
            let room = Room { under_way, ahead };
            doubles_a_hundred(Workers::Threads, room);
            doubles_a_hundred(Workers::Chosen(&|_| 0), room);
            doubles_a_hundred(Workers::Chosen(&|count| count - 1), room);
        }
    }

    #[test]
    fn an_error_ends_the_work_without_hanging() {
        let ended = work_through(Workers::Threads, Room::only(3), &|job: u8| job, |answers: Vec<u8>, _| {
            if answers.is_empty() { Ok(vec![1, 2, 3]) } else { Err("stop") }
        });
        assert_eq!(ended, Err("stop"));
    }
}
