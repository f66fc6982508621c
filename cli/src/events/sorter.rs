//! Puts any number of events in order, in bounded memory.
//!
//! Readers fill [`Batch`]es. A full batch is sorted and written to a temporary file; at the end, the files and what is left in the batches are
//! merged. So the order never depends on how the events came, and few events need no file.

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

/// Bytes of a batch: its events and what is kept to sort them.
pub const BATCH_BYTES: usize = 2 << 20;
/// Files that are merged at a time. More of them become one first.
const FILES: usize = 128;
const WRITE_BUFFER: usize = 128 << 10;
const READ_BUFFER: usize = 32 << 10;

/// What comes first. Of the rest, log stream and time are compared, and then the position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Time,
    LogStream,
}

/// Where an event belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub at: Millis,
    /// Its number in [`Streams`].
    pub stream: u32,
    /// Among the events of its log stream and millisecond.
    pub position: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamName {
    pub log_group: String,
    pub log_stream: String,
}

/// The log streams that were met, by number. Their order is that of their names, not of their numbers.
#[derive(Debug, Default)]
pub struct Streams(RwLock<Numbered>);

#[derive(Debug, Default)]
struct Numbered {
    names: Vec<StreamName>,
    numbers: HashMap<StreamName, u32>,
}

impl Streams {
    pub fn number(&self, name: StreamName) -> u32 {
        let mut numbered = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = numbered.numbers.get(&name) {
            return *number;
        }
        let number = u32::try_from(numbered.names.len()).expect("fewer log streams than 2^32");
        numbered.names.push(name.clone());
        numbered.numbers.insert(name, number);
        number
    }

    pub fn names(&self) -> Vec<StreamName> {
        self.read(|names| names.to_vec())
    }

    fn read<T>(&self, read: impl FnOnce(&[StreamName]) -> T) -> T {
        read(&self.0.read().unwrap_or_else(PoisonError::into_inner).names)
    }

    /// The place of each number in the order of names.
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
    /// Those that no reader has.
    batches: Mutex<Vec<Batch>>,
    /// Sorted events; those of a level were merged as often as its number.
    levels: Mutex<Vec<Vec<File>>>,
}

impl Sorter {
    pub fn new(order: Order, batch_bytes: usize, streams: Arc<Streams>) -> Self {
        Self { order, batch_bytes, folder: temporary_folder(), streams, batches: Mutex::default(), levels: Mutex::default() }
    }

    /// For one reader, which gives it back.
    pub fn take_batch(&self) -> Batch {
        lock(&self.batches).pop().unwrap_or_default()
    }

    /// Tells what went wrong with a file since the batch was taken.
    pub fn give_back(&self, mut batch: Batch) -> io::Result<()> {
        let failed = batch.failed.take();
        lock(&self.batches).push(batch);
        failed.map_or(Ok(()), Err)
    }

    /// Once it has failed, a batch takes nothing more.
    pub fn push(&self, batch: &mut Batch, place: Place, message: &[u8]) {
        if batch.failed.is_none() {
            let bytes = batch.text.len() + message.len() + (batch.entries.len() + 1) * size_of::<Entry>();
            if bytes > self.batch_bytes && !batch.entries.is_empty() {
                batch.failed = self.write(batch).err();
            }
            batch.add(place, message);
        }
    }

    /// Visits every event in order.
    pub fn finish<E: From<io::Error>>(self, visit: impl FnMut(Place, &[u8]) -> Result<(), E>) -> Result<(), E> {
        let batches = self.batches.into_inner().unwrap_or_else(PoisonError::into_inner);
        let levels = self.levels.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut runs: Vec<Run> = levels.into_iter().flatten().map(Run::open).collect::<io::Result<_>>()?;
        for mut batch in batches {
            batch.sort(self.order, &self.streams);
            runs.push(Run::Batch { batch, next: 0 });
        }
        merge(runs, self.order, &self.streams.ranks(), visit)
    }

    /// Empties a batch into a file.
    fn write(&self, batch: &mut Batch) -> io::Result<()> {
        batch.sort(self.order, &self.streams);
        let mut file = self.file()?;
        batch.entries.iter().try_for_each(|entry| write_event(&mut file, entry.place, batch.message(entry)))?;
        batch.entries.clear();
        batch.text.clear();
        self.add(file)
    }

    fn add(&self, file: BufWriter<File>) -> io::Result<()> {
        let mut levels = lock(&self.levels);
        let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        for level in 0.. {
            if levels.len() == level {
                levels.push(Vec::new());
            }
            levels[level].push(file);
            if levels[level].len() < FILES {
                break;
            }
            let runs = std::mem::take(&mut levels[level]).into_iter().map(Run::open).collect::<io::Result<_>>()?;
            let mut merged = self.file()?;
            merge(runs, self.order, &self.streams.ranks(), |place, message| write_event(&mut merged, place, message))?;
            file = merged.into_inner().map_err(io::IntoInnerError::into_error)?;
        }
        Ok(())
    }

    /// It has no name: nothing is left of it, however the process ends.
    fn file(&self) -> io::Result<BufWriter<File>> {
        let in_words = |error: io::Error| {
            io::Error::new(error.kind(), format!("no temporary file in {}: {error}; set TMPDIR to another folder", self.folder.display()))
        };
        tempfile::tempfile_in(&self.folder).map(|file| BufWriter::with_capacity(WRITE_BUFFER, file)).map_err(in_words)
    }
}

/// `/tmp` is often memory; `/var/tmp` is for large files.
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
    place: Place,
    begin: usize,
    length: u32,
}

/// Events of one reader, in memory.
#[derive(Debug, Default)]
pub struct Batch {
    entries: Vec<Entry>,
    text: Vec<u8>,
    failed: Option<io::Error>,
}

impl Batch {
    fn add(&mut self, place: Place, message: &[u8]) {
        let length = u32::try_from(message.len()).expect("a message has less than 4 GiB");
        self.entries.push(Entry { place, begin: self.text.len(), length });
        self.text.extend_from_slice(message);
    }

    fn message(&self, entry: &Entry) -> &[u8] {
        &self.text[entry.begin..][..entry.length as usize]
    }

    /// Quick where most of it is in order.
    fn sort(&mut self, order: Order, streams: &Streams) {
        streams.read(|names| {
            let by_stream = |one: u32, other: u32| match one == other {
                true => Ordering::Equal,
                false => names[one as usize].cmp(&names[other as usize]),
            };
            self.entries.sort_by(|Entry { place: one, .. }, Entry { place: other, .. }| {
                let first = match order {
                    Order::Time => one.at.cmp(&other.at).then_with(|| by_stream(one.stream, other.stream)),
                    Order::LogStream => by_stream(one.stream, other.stream).then_with(|| one.at.cmp(&other.at)),
                };
                first.then_with(|| one.position.cmp(&other.position))
            });
        });
    }
}

/// Sorted events, the first of which can be looked at.
enum Run {
    Batch { batch: Batch, next: usize },
    File { file: BufReader<File>, next: Option<(Place, u32)> },
}

impl Run {
    fn open(mut file: File) -> io::Result<Self> {
        file.rewind()?;
        let mut file = BufReader::with_capacity(READ_BUFFER, file);
        let next = read_place(&mut file)?;
        Ok(Self::File { file, next })
    }

    fn next(&self) -> Option<Place> {
        match self {
            Self::Batch { batch, next } => batch.entries.get(*next).map(|entry| entry.place),
            Self::File { next, .. } => next.map(|(place, _)| place),
        }
    }

    /// The message of the first event, which is then no longer the first.
    fn take<'a>(&'a mut self, buffer: &'a mut Vec<u8>) -> io::Result<&'a [u8]> {
        match self {
            Self::Batch { batch, next } => {
                *next += 1;
                Ok(batch.message(&batch.entries[*next - 1]))
            }
            Self::File { file, next } => {
                buffer.resize(next.map_or(0, |(_, length)| length as usize), 0);
                file.read_exact(buffer)?;
                *next = read_place(file)?;
                Ok(buffer)
            }
        }
    }
}

fn write_event(file: &mut impl Write, Place { at, stream, position }: Place, message: &[u8]) -> io::Result<()> {
    let mut head = [0; HEAD];
    head[..8].copy_from_slice(&at.0.to_le_bytes());
    head[8..16].copy_from_slice(&position.to_le_bytes());
    head[16..20].copy_from_slice(&stream.to_le_bytes());
    head[20..].copy_from_slice(&(message.len() as u32).to_le_bytes());
    let written = file.write_all(&head).and_then(|()| file.write_all(message));
    written.map_err(|error| io::Error::new(error.kind(), format!("the temporary file: {error}; set TMPDIR to a folder with more space")))
}

const HEAD: usize = 24;

/// With the length of its message.
fn read_place(file: &mut BufReader<File>) -> io::Result<Option<(Place, u32)>> {
    let mut head = [0; HEAD];
    match file.read_exact(&mut head) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let eight = |from: usize| u64::from_le_bytes(head[from..from + 8].try_into().expect("8 bytes"));
    let four = |from: usize| u32::from_le_bytes(head[from..from + 4].try_into().expect("4 bytes"));
    Ok(Some((Place { at: Millis(eight(0) as i64), position: eight(8), stream: four(16) }, four(20))))
}

fn merge<E: From<io::Error>>(
    mut runs: Vec<Run>,
    order: Order,
    ranks: &[u32],
    mut visit: impl FnMut(Place, &[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let key = |Place { at, stream, position }: Place| {
        let rank = i64::from(ranks[stream as usize]);
        match order {
            Order::Time => (at.0, rank, position),
            Order::LogStream => (rank, at.0, position),
        }
    };
    let first = |(index, run): (usize, &Run)| run.next().map(|place| Reverse((key(place), index)));
    let mut firsts: BinaryHeap<_> = runs.iter().enumerate().filter_map(first).collect();
    let mut buffer = Vec::new();
    while let Some(mut first) = firsts.peek_mut() {
        let index = first.0.1;
        let place = runs[index].next().expect("it is among the first");
        visit(place, runs[index].take(&mut buffer)?)?;
        match runs[index].next() {
            Some(place) => *first = Reverse((key(place), index)),
            None => drop(PeekMut::pop(first)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Events of three log streams, in no order.
    fn events(number: u64) -> Vec<(Place, String)> {
        let mut random = 7_u64;
        let mut next = |below: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % below
        };
        let event = |position| {
            let place = Place { at: Millis(next(number / 4 + 1) as i64), stream: next(3) as u32, position };
            (place, "é".repeat(next(60) as usize))
        };
        (0..number).map(event).collect()
    }

    /// Through batches of so many bytes, filled by so many readers in turn.
    fn sorted(events: &[(Place, String)], order: Order, batch_bytes: usize, readers: usize) -> Vec<(Place, String)> {
        let sorter = Sorter::new(order, batch_bytes, Arc::default());
        for log_stream in ["c", "a", "b"] {
            sorter.streams.number(StreamName { log_group: "g".into(), log_stream: log_stream.into() });
        }
        for some in events.chunks(events.len().div_ceil(readers * 3).max(1)) {
            let mut batches: Vec<Batch> = (0..readers).map(|_| sorter.take_batch()).collect();
            for (index, (place, message)) in some.iter().enumerate() {
                sorter.push(&mut batches[index % readers], *place, message.as_bytes());
            }
            batches.into_iter().for_each(|batch| sorter.give_back(batch).unwrap());
        }
        let mut found = Vec::new();
        sorter
            .finish::<io::Error>(|place, message| {
                found.push((place, String::from_utf8(message.to_vec()).unwrap()));
                Ok(())
            })
            .unwrap();
        found
    }

    #[test]
    fn the_order_is_the_same_whatever_fits_into_memory() {
        // By their names: a, b, c.
        let rank = |place: &Place| [2, 0, 1][place.stream as usize];
        for number in [0, 1, 10, 2_000] {
            let events = events(number);
            let (mut by_time, mut by_stream) = (events.clone(), events.clone());
            by_time.sort_by_key(|(place, _)| (place.at, rank(place), place.position));
            by_stream.sort_by_key(|(place, _)| (rank(place), place.at, place.position));
            // One event a file, several levels of files, some files, and none.
            for (batch_bytes, readers) in [(1, 1), (1, 3), (500, 2), (20_000, 2), (BATCH_BYTES, 4)] {
                assert!(sorted(&events, Order::Time, batch_bytes, readers) == by_time, "{number} events by time in {batch_bytes} bytes");
                assert!(sorted(&events, Order::LogStream, batch_bytes, readers) == by_stream, "{number} events by log stream");
            }
        }
    }

    #[test]
    fn files_that_cannot_be_written_are_told() {
        let mut sorter = Sorter::new(Order::Time, 1, Arc::default());
        sorter.folder = "/no/such/folder".into();
        let stream = sorter.streams.number(StreamName { log_group: "g".into(), log_stream: "s".into() });
        let mut batch = sorter.take_batch();
        for position in 0..3 {
            sorter.push(&mut batch, Place { at: Millis(1), stream, position }, b"message");
        }
        let failed = sorter.give_back(batch).unwrap_err().to_string();
        assert!(failed.starts_with("no temporary file in /no/such/folder: "), "{failed}");
    }
}
