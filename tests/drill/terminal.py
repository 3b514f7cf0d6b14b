"""A program at a terminal: what it shows a person, now and in the end."""

import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import threading
import time

COLUMNS, LINES = 100, 40
# One piece of a terminal's stream: a control sequence, a control character, or text.
PIECE = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|\x1b.|([\r\n\x08])|([^\x1b\r\n\x08]+)", re.DOTALL)
PATIENCE = 90.0


class Screen:
    """What stands on a terminal of so many columns, as far as progress bars and lines need it; nothing scrolls away."""

    def __init__(self, columns: int):
        self.columns, self.row, self.column = columns, 0, 0
        self.rows: list[list[str]] = [[]]
        # Rows that are the rest of the row above.
        self.wrapped: set[int] = set()

    def feed(self, text: str) -> None:
        """Takes more of the stream."""
        for piece in PIECE.finditer(text):
            argument, command, control, plain = piece.groups()
            if plain:
                for character in plain:
                    self.put(character)
            elif control == "\r":
                self.column = 0
            elif control == "\n":
                self.move(self.row + 1)
                self.wrapped.discard(self.row)
            elif control == "\x08":
                self.column = max(self.column - 1, 0)
            elif command:
                self.obey(command, argument)

    def put(self, character: str) -> None:
        """A character where the cursor is."""
        if self.column == self.columns:
            self.move(self.row + 1)
            self.column = 0
            self.wrapped.add(self.row)
        row = self.rows[self.row]
        row.extend(" " * (self.column + 1 - len(row)))
        row[self.column] = character
        self.column += 1

    def move(self, row: int) -> None:
        """The cursor to another row."""
        self.row = max(row, 0)
        while len(self.rows) <= self.row:
            self.rows.append([])

    def obey(self, command: str, argument: str) -> None:
        """A control sequence; those of colour and of the cursor's looks change nothing here."""
        number = int(argument) if argument.isdigit() else 0
        if command == "A":
            self.move(self.row - max(number, 1))
        elif command == "B":
            self.move(self.row + max(number, 1))
        elif command == "C":
            self.column += max(number, 1)
        elif command == "D":
            self.column = max(self.column - max(number, 1), 0)
        elif command == "G":
            self.column = max(number, 1) - 1
        elif command == "K":
            row = self.rows[self.row]
            self.rows[self.row] = [] if number == 2 else row[: self.column]
        elif command == "J" and number == 0:
            self.rows[self.row] = self.rows[self.row][: self.column]
            for row in range(self.row + 1, len(self.rows)):
                self.rows[row] = []

    def lines(self) -> list[str]:
        """The lines as they were written, not as they were broken."""
        lines: list[str] = []
        for at, row in enumerate(self.rows):
            text = "".join(row)
            # Lines of progress are filled up with blanks to the edge instead of being ended.
            if at in self.wrapped and lines and text and (text[0] == " " or not lines[-1].endswith("  ")):
                lines[-1] += text
            else:
                lines.append(text)
        lines = [line.rstrip() for line in lines]
        while lines and not lines[-1]:
            lines.pop()
        return lines


class Program:
    """A program at a terminal of its own."""

    def __init__(self, command: list[str], folder: str, environment: dict[str, str]):
        self.ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        # A controlling terminal, so that Ctrl-C is a signal.
        self.child = subprocess.Popen(
            ["setsid", "--ctty", *command], cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
        )
        os.close(theirs)
        self.screen, self.lock = Screen(COLUMNS), threading.Lock()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self) -> None:
        """Follows the stream to its end."""
        rest = b""
        # Linux says EIO where others say that nothing follows.
        with contextlib.suppress(OSError):
            while part := os.read(self.ours, 65536):
                rest += part
                # Neither a character nor a control sequence is cut.
                cut = len(rest)
                if (escape := rest.rfind(b"\x1b")) >= 0 and not re.match(rb"\x1b\[[0-9;?]*[A-Za-z]|\x1b[^\[]", rest[escape:]):
                    cut = escape
                while cut and cut == len(rest) and rest[cut - 1] >= 0x80:
                    try:
                        rest.decode()
                        break
                    except UnicodeDecodeError:
                        cut -= 1
                with self.lock:
                    self.screen.feed(rest[:cut].decode(errors="replace"))
                rest = rest[cut:]

    def shown(self) -> list[str]:
        """What the terminal shows now."""
        with self.lock:
            return self.screen.lines()

    def until(self, *words: str) -> list[str]:
        """Waits until the terminal shows a line with these words; gives all that it shows then."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            shown = self.shown()
            if any(all(word in line for word in words) for line in shown):
                return shown
            time.sleep(0.02)
        raise TimeoutError(f"the terminal does not show {words}: {self.shown()}")

    def press_ctrl_c(self) -> None:
        """As a person does."""
        os.write(self.ours, b"\x03")

    def end(self) -> tuple[int, list[str]]:
        """Waits for the end; gives the exit code as a shell tells it, and what stays on the terminal."""
        try:
            code = self.child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            raise TimeoutError(f"it does not end: {self.shown()}") from None
        self.reader.join(5)
        os.close(self.ours)
        return (128 - code if code < 0 else code), self.shown()
