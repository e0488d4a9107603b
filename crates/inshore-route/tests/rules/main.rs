//! Every rule of the policy, from outside: events in, orders out.

mod beginning;
mod desk;
mod failures;
mod loading;
mod races;
mod speed;
mod switches;
mod time;
