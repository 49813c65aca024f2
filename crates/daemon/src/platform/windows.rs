//! Console events of Windows. It has no limit of open sockets to raise and no signal to reload.

use std::io;

use tokio::signal::windows::{
    CtrlBreak, CtrlC, CtrlClose, CtrlShutdown, ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown,
};

pub(crate) use super::plain::{Reload, raise_open_files};

/// Requests to end: Ctrl-C, Ctrl-Break, the console closing and the system shutting down.
pub(crate) struct Terminate {
    c: CtrlC,
    r#break: CtrlBreak,
    close: CtrlClose,
    shutdown: CtrlShutdown,
}

impl Terminate {
    pub(crate) fn install() -> io::Result<Terminate> {
        Ok(Terminate { c: ctrl_c()?, r#break: ctrl_break()?, close: ctrl_close()?, shutdown: ctrl_shutdown()? })
    }

    pub(crate) async fn requested(&mut self) {
        tokio::select! {
            Some(()) = self.c.recv() => {}
            Some(()) = self.r#break.recv() => {}
            Some(()) = self.close.recv() => {}
            Some(()) = self.shutdown.recv() => {}
            else => std::future::pending().await,
        }
    }
}
