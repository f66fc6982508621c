//! Sorts any number of events in bounded memory, by an external merge sort.
//!
//! Readers fill [`Batch`]es. The sorter sorts a full batch, and writes it to a temporary file. At the end, it merges the files and the
//! remaining batches. Few events need no file.

use std::{
    cmp::{Ordering, Reverse},
    collections::{BinaryHeap, HashMap, binary_heap::PeekMut},
    env,
    fs::File,
    io::{self, BufReader, BufWriter, Read, Seek, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use export_core::time::Millis;

/// The size of a batch: its messages and the entries that are sorted.
pub const BATCH_BYTES: usize = 2 << 20;
/// So many files are merged into one file of the next level.
const MAX_FILES_PER_LEVEL: usize = 128;
const WRITE_BUFFER: usize = 128 << 10;
const READ_BUFFER: usize = 32 << 10;

/// What is compared first: the time or the log stream. The other one follows, and then the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Time,
    LogStream,
}

/// The position of an event in the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    pub at: Millis,
    /// The log stream's number in [`Streams`].
    pub stream: u32,
    /// Orders the events of one log stream and millisecond.
    pub index: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamName {
    pub log_group: String,
    pub log_stream: String,
}

/// Numbers the log streams. They are sorted by their names, not by their numbers.
#[derive(Debug, Default)]
pub struct Streams(RwLock<StreamNumbers>);

#[derive(Debug, Default)]
struct StreamNumbers {
    names: Vec<StreamName>,
    numbers: HashMap<StreamName, u32>,
}

impl Streams {
    pub fn number(&self, name: StreamName) -> u32 {
        let mut streams = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = streams.numbers.get(&name) {
            return *number;
        }
        let number = u32::try_from(streams.names.len()).expect("fewer log streams than 2^32");
        streams.names.push(name.clone());
        streams.numbers.insert(name, number);
        number
    }

    pub fn names(&self) -> Vec<StreamName> {
        self.read(|names| names.to_vec())
    }

    fn read<T>(&self, read: impl FnOnce(&[StreamName]) -> T) -> T {
        read(&self.0.read().unwrap_or_else(PoisonError::into_inner).names)
    }

    /// For each number, the rank of the log stream's name.
    fn ranks(&self) -> Vec<u32> {
        self.read(|names| {
            let mut sorted: Vec<u32> = (0..).take(names.len()).collect();
            sorted.sort_unstable_by_key(|number| &names[*number as usize]);
            let mut ranks = vec![0; sorted.len()];
            (0..).zip(sorted).for_each(|(rank, number): (u32, u32)| ranks[number as usize] = rank);
            ranks
        })
    }
}

pub struct Sorter {
    order: Order,
    batch_bytes: usize,
    folder: PathBuf,
    pub streams: Arc<Streams>,
    /// The batches that no reader uses.
    batches: Mutex<Vec<Batch>>,
    /// Files of sorted events. A file of level n is the result of n merges.
    levels: Mutex<Vec<Vec<File>>>,
}

impl Sorter {
    pub fn new(order: Order, batch_bytes: usize, streams: Arc<Streams>) -> Self {
        Self { order, batch_bytes, folder: temporary_folder(), streams, batches: Mutex::default(), levels: Mutex::default() }
    }

    /// A batch for one reader, which returns it with [`give_back`](Self::give_back).
    pub fn take_batch(&self) -> Batch {
        lock(&self.batches).pop().unwrap_or_default()
    }

    /// Returns a batch. The error occurred while one of its files was written.
    pub fn give_back(&self, mut batch: Batch) -> io::Result<()> {
        let error = batch.error.take();
        lock(&self.batches).push(batch);
        error.map_or(Ok(()), Err)
    }

    /// Adds an event to a batch, unless writing the batch has failed before.
    pub fn push(&self, batch: &mut Batch, position: Position, message: &[u8]) {
        if batch.error.is_none() {
            let bytes = batch.text.len() + message.len() + (batch.entries.len() + 1) * size_of::<Entry>();
            if bytes > self.batch_bytes && !batch.entries.is_empty() {
                batch.error = self.write_batch(batch).err();
            }
            batch.add(position, message);
        }
    }

    /// Visits every event in order.
    pub fn finish<E: From<io::Error>>(self, visit: impl FnMut(Position, &[u8]) -> Result<(), E>) -> Result<(), E> {
        let batches = self.batches.into_inner().unwrap_or_else(PoisonError::into_inner);
        let levels = self.levels.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut runs: Vec<Run> = levels.into_iter().flatten().map(Run::open).collect::<io::Result<_>>()?;
        for mut batch in batches {
            batch.sort(self.order, &self.streams);
            runs.push(Run::Batch { batch, next: 0 });
        }
        merge(runs, self.order, &self.streams.ranks(), visit)
    }

    /// Moves the events of a batch to a file.
    fn write_batch(&self, batch: &mut Batch) -> io::Result<()> {
        batch.sort(self.order, &self.streams);
        let mut file = self.create_file()?;
        batch.entries.iter().try_for_each(|entry| write_event(&mut file, entry.position, batch.message(entry)))?;
        batch.entries.clear();
        batch.text.clear();
        self.add_file(file)
    }

    /// Adds a file to the first level. A full level becomes one file of the next level.
    fn add_file(&self, file: BufWriter<File>) -> io::Result<()> {
        let mut levels = lock(&self.levels);
        let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        for level in 0.. {
            if levels.len() == level {
                levels.push(Vec::new());
            }
            levels[level].push(file);
            if levels[level].len() < MAX_FILES_PER_LEVEL {
                break;
            }
            let runs = std::mem::take(&mut levels[level]).into_iter().map(Run::open).collect::<io::Result<_>>()?;
            let mut merged = self.create_file()?;
            merge(runs, self.order, &self.streams.ranks(), |position, message| write_event(&mut merged, position, message))?;
            file = merged.into_inner().map_err(io::IntoInnerError::into_error)?;
        }
        Ok(())
    }

    /// Creates a temporary file without a name, so the file disappears with the process.
    fn create_file(&self) -> io::Result<BufWriter<File>> {
        let explain = |error: io::Error| {
            io::Error::new(
                error.kind(),
                format!("cannot create a temporary file in {}: {error}; set TMPDIR to another folder", self.folder.display()),
            )
        };
        tempfile::tempfile_in(&self.folder).map(|file| BufWriter::with_capacity(WRITE_BUFFER, file)).map_err(explain)
    }
}

/// `/tmp` is often in memory, and `/var/tmp` is for large files.
fn temporary_folder() -> PathBuf {
    let is_set = env::var_os("TMPDIR").is_some_and(|folder| !folder.is_empty());
    let large = Path::new("/var/tmp");
    if !is_set && large.is_dir() { large.to_owned() } else { env::temp_dir() }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    position: Position,
    begin: usize,
    length: u32,
}

/// The events of one reader in memory.
#[derive(Debug, Default)]
pub struct Batch {
    entries: Vec<Entry>,
    text: Vec<u8>,
    error: Option<io::Error>,
}

impl Batch {
    fn add(&mut self, position: Position, message: &[u8]) {
        let length = u32::try_from(message.len()).expect("a message has less than 4 GiB");
        self.entries.push(Entry { position, begin: self.text.len(), length });
        self.text.extend_from_slice(message);
    }

    fn message(&self, entry: &Entry) -> &[u8] {
        &self.text[entry.begin..][..entry.length as usize]
    }

    /// A stable sort, which is fast because most events are in order.
    fn sort(&mut self, order: Order, streams: &Streams) {
        streams.read(|names| {
            let by_stream = |one: u32, other: u32| match one == other {
                true => Ordering::Equal,
                false => names[one as usize].cmp(&names[other as usize]),
            };
            self.entries.sort_by(|Entry { position: one, .. }, Entry { position: other, .. }| {
                let ordering = match order {
                    Order::Time => one.at.cmp(&other.at).then_with(|| by_stream(one.stream, other.stream)),
                    Order::LogStream => by_stream(one.stream, other.stream).then_with(|| one.at.cmp(&other.at)),
                };
                ordering.then_with(|| one.index.cmp(&other.index))
            });
        });
    }
}

/// A run of sorted events, in memory or in a file.
enum Run {
    Batch { batch: Batch, next: usize },
    File { file: BufReader<File>, next: Option<(Position, u32)> },
}

impl Run {
    fn open(mut file: File) -> io::Result<Self> {
        file.rewind()?;
        let mut file = BufReader::with_capacity(READ_BUFFER, file);
        let next = read_position(&mut file)?;
        Ok(Self::File { file, next })
    }

    fn peek(&self) -> Option<Position> {
        match self {
            Self::Batch { batch, next } => batch.entries.get(*next).map(|entry| entry.position),
            Self::File { next, .. } => next.map(|(position, _)| position),
        }
    }

    /// Removes the first event, and returns its message.
    fn pop<'a>(&'a mut self, buffer: &'a mut Vec<u8>) -> io::Result<&'a [u8]> {
        match self {
            Self::Batch { batch, next } => {
                *next += 1;
                Ok(batch.message(&batch.entries[*next - 1]))
            }
            Self::File { file, next } => {
                buffer.resize(next.map_or(0, |(_, length)| length as usize), 0);
                file.read_exact(buffer)?;
                *next = read_position(file)?;
                Ok(buffer)
            }
        }
    }
}

fn write_event(file: &mut impl Write, Position { at, stream, index }: Position, message: &[u8]) -> io::Result<()> {
    let mut header = [0; HEADER_BYTES];
    header[..8].copy_from_slice(&at.0.to_le_bytes());
    header[8..16].copy_from_slice(&index.to_le_bytes());
    header[16..20].copy_from_slice(&stream.to_le_bytes());
    header[20..].copy_from_slice(&(message.len() as u32).to_le_bytes());
    let written = file.write_all(&header).and_then(|()| file.write_all(message));
    written.map_err(|error| {
        io::Error::new(error.kind(), format!("cannot write the temporary file: {error}; set TMPDIR to a folder with more space"))
    })
}

/// Before each message in a file: time, index, log stream, and length of the message.
const HEADER_BYTES: usize = 24;

/// Reads the position of the next event, and the length of its message.
fn read_position(file: &mut BufReader<File>) -> io::Result<Option<(Position, u32)>> {
    let mut header = [0; HEADER_BYTES];
    match file.read_exact(&mut header) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let read_u64 = |from: usize| u64::from_le_bytes(header[from..from + 8].try_into().expect("8 bytes"));
    let read_u32 = |from: usize| u32::from_le_bytes(header[from..from + 4].try_into().expect("4 bytes"));
    Ok(Some((Position { at: Millis(read_u64(0) as i64), index: read_u64(8), stream: read_u32(16) }, read_u32(20))))
}

fn merge<E: From<io::Error>>(
    mut runs: Vec<Run>,
    order: Order,
    ranks: &[u32],
    mut visit: impl FnMut(Position, &[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let key = |Position { at, stream, index }: Position| {
        let rank = i64::from(ranks[stream as usize]);
        match order {
            Order::Time => (at.0, rank, index),
            Order::LogStream => (rank, at.0, index),
        }
    };
    let head = |(index, run): (usize, &Run)| run.peek().map(|position| Reverse((key(position), index)));
    let mut heads: BinaryHeap<_> = runs.iter().enumerate().filter_map(head).collect();
    let mut buffer = Vec::new();
    while let Some(mut head) = heads.peek_mut() {
        let (_, index) = head.0;
        let position = runs[index].peek().expect("a run on the heap has a next event");
        visit(position, runs[index].pop(&mut buffer)?)?;
        match runs[index].peek() {
            Some(position) => *head = Reverse((key(position), index)),
            None => drop(PeekMut::pop(head)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pseudo-random events of three log streams.
    fn events(count: u64) -> Vec<(Position, String)> {
        let mut random = 7_u64;
        let mut next = |below: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % below
        };
        let event = |index| {
            let position = Position { at: Millis(next(count / 4 + 1) as i64), stream: next(3) as u32, index };
            (position, "é".repeat(next(60) as usize))
        };
        (0..count).map(event).collect()
    }

    /// Sorts events that `readers` readers put in turn into batches of `batch_bytes` bytes.
    fn sorted(events: &[(Position, String)], order: Order, batch_bytes: usize, readers: usize) -> Vec<(Position, String)> {
        let sorter = Sorter::new(order, batch_bytes, Arc::default());
        for log_stream in ["c", "a", "b"] {
            sorter.streams.number(StreamName { log_group: "g".into(), log_stream: log_stream.into() });
        }
        for chunk in events.chunks(events.len().div_ceil(readers * 3).max(1)) {
            let mut batches: Vec<Batch> = (0..readers).map(|_| sorter.take_batch()).collect();
            for (index, (position, message)) in chunk.iter().enumerate() {
                sorter.push(&mut batches[index % readers], *position, message.as_bytes());
            }
            batches.into_iter().for_each(|batch| sorter.give_back(batch).unwrap());
        }
        let mut found = Vec::new();
        sorter
            .finish::<io::Error>(|position, message| {
                found.push((position, String::from_utf8(message.to_vec()).unwrap()));
                Ok(())
            })
            .unwrap();
        found
    }

    #[test]
    fn the_order_does_not_depend_on_the_memory() {
        // The names c, a, b in the order of the alphabet.
        let rank = |position: &Position| [2, 0, 1][position.stream as usize];
        for count in [0, 1, 10, 2_000] {
            let events = events(count);
            let (mut by_time, mut by_stream) = (events.clone(), events.clone());
            by_time.sort_by_key(|(position, _)| (position.at, rank(position), position.index));
            by_stream.sort_by_key(|(position, _)| (rank(position), position.at, position.index));
            // One event per file, several levels of files, some files, no file.
            for (batch_bytes, readers) in [(1, 1), (1, 3), (500, 2), (20_000, 2), (BATCH_BYTES, 4)] {
                assert!(sorted(&events, Order::Time, batch_bytes, readers) == by_time, "{count} events by time in {batch_bytes} bytes");
                assert!(sorted(&events, Order::LogStream, batch_bytes, readers) == by_stream, "{count} events by log stream");
            }
        }
    }

    #[test]
    fn a_file_that_cannot_be_created_is_an_error() {
        let mut sorter = Sorter::new(Order::Time, 1, Arc::default());
        sorter.folder = "/no/such/folder".into();
        let stream = sorter.streams.number(StreamName { log_group: "g".into(), log_stream: "s".into() });
        let mut batch = sorter.take_batch();
        for index in 0..3 {
            sorter.push(&mut batch, Position { at: Millis(1), stream, index }, b"message");
        }
        let error = sorter.give_back(batch).unwrap_err().to_string();
        assert!(error.starts_with("cannot create a temporary file in /no/such/folder: "), "{error}");
    }
}
