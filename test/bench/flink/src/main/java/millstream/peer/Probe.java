package millstream.peer;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.atomic.LongAccumulator;
import java.util.stream.Stream;

/** Figures of the running job, shared by its sources, its sinks and the driver: all run in one JVM. */
final class Probe {
    static final LongAccumulator lastRecordNanos = new LongAccumulator(Math::max, Long.MIN_VALUE);
    static final AtomicLong out = new AtomicLong();
    static final AtomicLong checksum = new AtomicLong();
    /** Latencies, one bucket a tenth of a millisecond up to 20 s. */
    private static final AtomicLongArray latencies = new AtomicLongArray(200_001);
    private static final OperatingSystemMXBean SYSTEM = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    private static final AtomicLong firstRecordNanos = new AtomicLong(Long.MAX_VALUE);
    private static volatile long cpuNanosAtFirstRecord;
    private static volatile boolean inputEnding;
    private static final Set<Long> checkpoints = new HashSet<>();
    private static Path checkpointDirectory;
    private static long checkpointBytes;
    private static long lastCheckpointBytes;

    private Probe() {}

    static synchronized void reset(Path directory) {
        firstRecordNanos.set(Long.MAX_VALUE);
        lastRecordNanos.reset();
        out.set(0);
        checksum.set(0);
        for (int i = 0; i < latencies.length(); i++) latencies.set(i, 0);
        inputEnding = false;
        checkpoints.clear();
        checkpointDirectory = directory;
        checkpointBytes = 0;
        lastCheckpointBytes = 0;
    }

    static long cpuNanos() {
        return SYSTEM.getProcessCpuTime();
    }

    static void firstRecord() {
        if (firstRecordNanos.compareAndSet(Long.MAX_VALUE, System.nanoTime())) cpuNanosAtFirstRecord = cpuNanos();
    }

    static long firstRecordNanos() {
        return firstRecordNanos.get();
    }

    static long cpuNanosSinceFirstRecord() {
        return cpuNanos() - cpuNanosAtFirstRecord;
    }

    /** A source subtask has read its last record: checkpoints that complete from now on are not counted. */
    static void endOfInput() {
        inputEnding = true;
    }

    /** Called by every source subtask; a checkpoint counts once. Its bytes are those of its directory, {@code _metadata} included. */
    static synchronized void checkpointCompleted(long id) {
        if (inputEnding || !checkpoints.add(id)) return;
        lastCheckpointBytes = bytesOf(id);
        checkpointBytes += lastCheckpointBytes;
    }

    private static long bytesOf(long id) {
        try (Stream<Path> jobs = Files.list(checkpointDirectory)) {
            long bytes = 0;
            for (Path job : jobs.toList()) {
                Path directory = job.resolve("chk-" + id);
                if (!Files.isDirectory(directory)) continue;
                try (Stream<Path> files = Files.list(directory)) {
                    List<Path> all = files.toList();
                    for (Path file : all) bytes += Files.size(file);
                }
            }
            return bytes;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static synchronized int checkpoints() {
        return checkpoints.size();
    }

    static synchronized long checkpointBytes() {
        return checkpointBytes;
    }

    static synchronized long lastCheckpointBytes() {
        return lastCheckpointBytes;
    }

    static void latency(long nanos) {
        latencies.incrementAndGet((int) Math.max(0, Math.min(latencies.length() - 1, nanos / 100_000)));
    }

    /** In milliseconds; the lower end of the bucket. */
    static double latencyQuantile(double q) {
        long total = 0;
        for (int i = 0; i < latencies.length(); i++) total += latencies.get(i);
        long wanted = (long) Math.ceil(q * total), seen = 0;
        for (int i = 0; i < latencies.length(); i++) {
            seen += latencies.get(i);
            if (seen >= wanted) return i / 10.0;
        }
        throw new IllegalStateException("no latency was recorded");
    }
}
