//! The program as its users run it: the real binary, the simulator over loopback, real storage and real readers.

mod bad_input;
mod first_run;
mod killed;
mod nothing_lost;
mod requests;
mod starts;
mod stopped;
mod support;
mod switches;
mod tables;
mod ties;
