package millstream.peer;

import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.LockSupport;
import org.apache.flink.api.connector.source.ReaderOutput;
import org.apache.flink.api.connector.source.SourceReader;
import org.apache.flink.core.io.InputStatus;

/** Emits one split. Records are reused objects: the jobs run with object reuse. */
final class GeneratorReader<T> implements SourceReader<T, GeneratorSplit> {
    private static final int BATCH = 64;
    private static final long PACED_WAIT_NANOS = 100_000;

    private final GeneratorSource<T> source;
    private final Generator generator = new Generator();
    private final Bid bid = new Bid();
    private final Event event = new Event();
    private final CompletableFuture<Void> available = new CompletableFuture<>();
    private GeneratorSplit split;
    private boolean started;
    private boolean noMoreSplits;

    GeneratorReader(GeneratorSource<T> source) {
        this.source = source;
        event.bid = bid;
        event.auction = new Auction();
        event.person = new Person();
    }

    @Override
    public void start() {}

    @Override
    public InputStatus pollNext(ReaderOutput<T> out) {
        if (split == null) return noMoreSplits ? InputStatus.END_OF_INPUT : InputStatus.NOTHING_AVAILABLE;
        if (!started) {
            started = true;
            Probe.firstRecord();
        }
        long end = Math.min(source.records, split.next + (long) BATCH * split.of);
        if (source.rate > 0) {
            long due = (long) Math.floor((System.nanoTime() - split.startNanos) / 1e9 * source.rate);
            end = Math.min(end, due + 1);
            if (split.next < source.records && split.next >= end) {
                LockSupport.parkNanos(PACED_WAIT_NANOS);
                return InputStatus.MORE_AVAILABLE;
            }
        }
        if (source.mixed()) emitEvents(split, end, out);
        else emitBids(split, end, out);
        if (split.next < source.records) return InputStatus.MORE_AVAILABLE;
        Probe.endOfInput();
        return InputStatus.END_OF_INPUT;
    }

    @SuppressWarnings("unchecked")
    private void emitBids(GeneratorSplit split, long end, ReaderOutput<T> out) {
        double nanosPerRecord = source.rate > 0 ? 1e9 / source.rate : 0;
        long i = split.next;
        for (; i < end; i += split.of) {
            generator.bid(Generator.eventOfBid(i), bid);
            if (nanosPerRecord > 0) bid.dateTime = split.startNanos + (long) (i * nanosPerRecord);
            if (source.eventTime) out.collect((T) bid, bid.dateTime);
            else out.collect((T) bid);
        }
        split.next = i;
    }

    @SuppressWarnings("unchecked")
    private void emitEvents(GeneratorSplit split, long end, ReaderOutput<T> out) {
        long i = split.next;
        for (; i < end; i += split.of) {
            event.kind = Generator.kind(i);
            long time;
            if (event.kind == 2) {
                generator.bid(i, bid);
                time = bid.dateTime;
            } else if (event.kind == 1) {
                generator.auction(i, event.auction);
                time = event.auction.dateTime;
            } else {
                generator.person(i, event.person);
                time = event.person.dateTime;
            }
            out.collect((T) event, time);
        }
        split.next = i;
    }

    @Override
    public List<GeneratorSplit> snapshotState(long checkpointId) {
        return split == null ? List.of() : List.of(new GeneratorSplit(split.index, split.of, split.startNanos, split.next));
    }

    @Override
    public void notifyCheckpointComplete(long checkpointId) {
        Probe.checkpointCompleted(checkpointId);
    }

    @Override
    public CompletableFuture<Void> isAvailable() {
        return available;
    }

    @Override
    public void addSplits(List<GeneratorSplit> splits) {
        split = splits.get(0);
        available.complete(null);
    }

    @Override
    public void notifyNoMoreSplits() {
        noMoreSplits = true;
        available.complete(null);
    }

    @Override
    public void close() {}
}
