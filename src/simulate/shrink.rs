//! From a seed that fails to the smallest history found that fails by the same invariant: fewer days, then fewer orders.

use super::life::{Ground, Life, Shape, live};
use crate::config::Settings;

/// Histories tried, at most.
const MOST_TRIES: u32 = 120;

struct Hunt<'a> {
    invariant: &'static str,
    settings: &'a Settings,
    ground: Ground,
    tries: u32,
    found: (Shape, Life),
}

/// The smallest shape found, with its life.
pub fn shrink(shape: Shape, life: Life, settings: &Settings) -> (Shape, Life) {
    let Some(invariant) = invariant(&life) else { return (shape, life) };
    let mut hunt = Hunt { invariant, settings, ground: Ground::default(), tries: 0, found: (shape, life) };
    hunt.fewer_days();
    hunt.fewer_orders();
    hunt.fewer_days();
    hunt.found
}

fn invariant(life: &Life) -> Option<&'static str> {
    let failure = life.failure.as_ref()?;
    failure.violations.first().map(|violation| violation.invariant)
}

impl Hunt<'_> {
    fn fails(&mut self, shape: Shape) -> bool {
        self.tries += 1;
        if self.tries > MOST_TRIES {
            return false;
        }
        match live(&shape, self.settings, &mut self.ground) {
            Ok(life) if invariant(&life) == Some(self.invariant) => {
                self.found = (shape, life);
                true
            }
            Ok(_) | Err(_) => false,
        }
    }

    fn fewer_days(&mut self) {
        let failed_on = self.found.1.failure.as_ref().map_or(0, |failure| failure.day + 1);
        if failed_on < self.found.0.days && !self.fails(Shape { days: failed_on, ..self.found.0.clone() }) {
            return;
        }
        let mut step = self.found.0.days.div_euclid(2);
        while step > 0 {
            let fewer = self.found.0.days.saturating_sub(step);
            if fewer == self.found.0.days || !self.fails(Shape { days: fewer, ..self.found.0.clone() }) {
                step = step.div_euclid(2);
            }
        }
    }

    /// Leaves out a half, a quarter, … of the orders, as long as the failure stays.
    fn fewer_orders(&mut self) {
        let mut size = self.found.0.orders.len().div_euclid(2);
        while size > 0 {
            let mut from = 0;
            while from < self.found.0.orders.len() {
                let mut orders = self.found.0.orders.clone();
                orders.drain(from..(from + size).min(orders.len()));
                if !self.fails(Shape { orders, ..self.found.0.clone() }) {
                    from += size;
                }
            }
            size = size.div_euclid(2);
        }
    }
}
