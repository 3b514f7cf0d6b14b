//! The program as its users run it: the real binary, the simulator over loopback, real storage and real readers.

mod first_run;
mod killed;
mod nothing_lost;
mod support;
mod switches;
mod tables;
mod ties;
