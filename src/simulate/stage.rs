//! Who goes on. Every port call and every commit of a simulated run is a moment here: the run may die at it, and another run
//! may go on instead. Exactly one holds the baton, and the seed's dice say who.

use std::panic::resume_unwind;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::dice::Dice;
use crate::kill_switch::Killed;

/// The runs of one round, and whose turn it is.
#[derive(Debug)]
pub(super) struct Stage {
    state: Mutex<State>,
    turn: Condvar,
}

#[derive(Debug)]
struct State {
    dice: Dice,
    holder: usize,
    players: Vec<Player>,
}

#[derive(Debug, Clone, Copy)]
struct Player {
    alive: bool,
    /// Dies at its so-many-th moment from now.
    dies_in: Option<u32>,
}

/// One run's place on the stage.
#[derive(Debug, Clone)]
pub(super) struct Place {
    stage: Arc<Stage>,
    me: usize,
}

impl Stage {
    /// `dies_in` per run: after how many moments it is killed, if it is.
    pub(super) fn new(dice: Dice, dies_in: &[Option<u32>]) -> Arc<Self> {
        let players = dies_in.iter().map(|dies_in| Player { alive: true, dies_in: *dies_in }).collect();
        let mut state = State { dice, holder: 0, players };
        state.pass_on();
        Arc::new(Self { state: Mutex::new(state), turn: Condvar::new() })
    }

    pub(super) fn place(self: &Arc<Self>, me: usize) -> Place {
        Place { stage: Arc::clone(self), me }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn pass_on(&mut self) {
        let alive: Vec<usize> =
            self.players.iter().enumerate().filter(|(_, player)| player.alive).map(|(index, _)| index).collect();
        let next = if alive.len() > 1 { self.dice.index(alive.len()) } else { 0 };
        if let Some(next) = alive.get(next) {
            self.holder = *next;
        }
    }

    fn is_last_moment(&mut self, me: usize) -> bool {
        match self.players.get_mut(me).and_then(|player| player.dies_in.as_mut()) {
            Some(0) => true,
            Some(moments) => {
                *moments -= 1;
                false
            }
            None => false,
        }
    }
}

impl Place {
    /// Waits for its first turn.
    pub(super) fn enter(&self) {
        drop(self.wait(self.stage.lock()));
    }

    /// A moment at which it may die, and nobody else can go on: a commit is under way.
    pub(super) fn alone(&self) {
        let mut state = self.stage.lock();
        if state.is_last_moment(self.me) {
            drop(state);
            resume_unwind(Box::new(Killed));
        }
    }

    /// A moment between two things that cannot be undone: dies here, or lets others go on first.
    pub(super) fn moment(&self) {
        self.alone();
        let mut state = self.stage.lock();
        state.pass_on();
        if state.holder != self.me {
            self.stage.turn.notify_all();
            drop(self.wait(state));
        }
    }

    /// One of so many, as the dice say.
    pub(super) fn choose(&self, count: usize) -> usize {
        self.stage.lock().dice.index(count)
    }

    /// Over, or dead.
    pub(super) fn leave(&self) {
        let mut state = self.stage.lock();
        if let Some(player) = state.players.get_mut(self.me) {
            player.alive = false;
        }
        state.pass_on();
        self.stage.turn.notify_all();
    }

    fn wait<'a>(&self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        while state.holder != self.me {
            state = self.stage.turn.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state
    }
}
