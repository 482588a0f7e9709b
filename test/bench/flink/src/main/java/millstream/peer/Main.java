package millstream.peer;

import java.io.BufferedWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.GarbageCollectorMXBean;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/** bench | dump; see README.md. */
public final class Main {
    private static final Map<String, Long> RECORDS = Map.of("w1", 80_000_000L, "w2", 24_000_000L, "w3", 30_000_000L, "w4", 30_000_000L,
            "w5", 20_000_000L, "w3lat", 4_000_000L);

    private Main() {}

    public static void main(String[] arguments) throws Exception {
        Locale.setDefault(Locale.ROOT);
        String command = arguments.length < 2 ? "" : arguments[0];
        switch (command) {
            case "bench" -> bench(arguments[1], new Options(arguments, 2));
            case "dump" -> dump(Path.of(arguments[1]), new Options(arguments, 2));
            default -> {
                System.err.println("usage: bench WORKLOAD [--parallelism P] [--records N] [--warmup N] [--runs R] [--ckpt MS] [--rate R] [--buffer MS]"
                        + " | dump DIRECTORY [--records N] [--parallelism P]");
                System.exit(2);
            }
        }
        System.exit(0);
    }

    private static void bench(String workload, Options options) throws Exception {
        if (!RECORDS.containsKey(workload)) throw new IllegalArgumentException("cannot run workload '" + workload + "': there are " + RECORDS.keySet());
        long records = options.get("records", RECORDS.get(workload));
        long warmUp = options.get("warmup", records / 3);
        if (warmUp > 0) run(workload, warmUp, options);
        for (long i = options.get("runs", 1); i > 0; i--) System.out.println(run(workload, records, options));
    }

    private static StreamExecutionEnvironment environment(int parallelism, long checkpointMs, long bufferTimeoutMs, Path checkpoints) {
        Configuration c = new Configuration();
        c.setString("parallelism.default", "" + parallelism);
        c.setString("taskmanager.numberOfTaskSlots", "" + parallelism);
        c.setString("pipeline.object-reuse", "true");
        c.setString("pipeline.generic-types", "false");
        c.setString("taskmanager.memory.network.min", "128m");
        c.setString("taskmanager.memory.network.max", "128m");
        c.setString("taskmanager.memory.managed.size", "64m");
        c.setString("state.backend.type", "hashmap");
        c.setString("execution.checkpointing.dir", checkpoints.toUri().toString());
        c.setString("execution.buffer-timeout.interval", bufferTimeoutMs + " ms");
        c.setString("restart-strategy.type", "none");
        if (checkpointMs > 0) {
            c.setString("execution.checkpointing.interval", checkpointMs + " ms");
            c.setString("execution.checkpointing.mode", "EXACTLY_ONCE");
        }
        return StreamExecutionEnvironment.createLocalEnvironment(parallelism, c);
    }

    /** Runs the job once; the result as a line of JSON. */
    private static String run(String workload, long records, Options options) throws Exception {
        int parallelism = (int) options.get("parallelism", 1);
        boolean stateful = !workload.equals("w1") && !workload.equals("w2");
        boolean paced = workload.equals("w3lat");
        long checkpointMs = stateful ? options.get("ckpt", 3000) : 0;
        long bufferTimeoutMs = options.get("buffer", paced ? 5 : 100);
        long rate = paced ? options.get("rate", 200_000) : 0;
        Path directory = Files.createTempDirectory("flink-peer");
        Probe.reset(directory);
        StreamExecutionEnvironment env = environment(parallelism, checkpointMs, bufferTimeoutMs, directory);
        Workloads.build(env, workload, records, rate);
        System.gc();
        long gcMs = garbageCollectionMs();
        env.execute(workload);
        long endNanos = System.nanoTime();
        double cpuSeconds = Probe.cpuNanosSinceFirstRecord() / 1e9;
        double gcSeconds = (garbageCollectionMs() - gcMs) / 1e3;
        double seconds = (Probe.lastRecordNanos.get() - Probe.firstRecordNanos()) / 1e9;
        StringBuilder json = new StringBuilder(String.format(
                "{\"engine\":\"flink\",\"workload\":\"%s\",\"parallelism\":%d,\"records\":%d,\"seconds\":%.3f,\"recordsPerSecond\":%.0f",
                workload, parallelism, records, seconds, records / seconds));
        json.append(String.format(",\"secondsToJobEnd\":%.3f,\"cpuSeconds\":%.2f,\"recordsPerCpuSecond\":%.0f,\"gcSeconds\":%.3f",
                (endNanos - Probe.firstRecordNanos()) / 1e9, cpuSeconds, records / cpuSeconds, gcSeconds));
        json.append(String.format(",\"out\":%d,\"checksum\":%d", Probe.out.get(), (int) Probe.checksum.get()));
        json.append(String.format(",\"checkpointIntervalMs\":%d,\"checkpoints\":%d,\"checkpointBytes\":%d,\"lastCheckpointBytes\":%d",
                checkpointMs, Probe.checkpoints(), Probe.checkpointBytes(), Probe.lastCheckpointBytes()));
        if (paced) {
            json.append(String.format(",\"rate\":%d,\"bufferTimeoutMs\":%d,\"latencyMs\":{\"p50\":%.1f,\"p95\":%.1f,\"p99\":%.1f,\"max\":%.1f}", rate,
                    bufferTimeoutMs, Probe.latencyQuantile(0.5), Probe.latencyQuantile(0.95), Probe.latencyQuantile(0.99), Probe.latencyQuantile(1)));
        }
        delete(directory);
        return json.append('}').toString();
    }

    private static long garbageCollectionMs() {
        long sum = 0;
        for (GarbageCollectorMXBean collector : ManagementFactory.getGarbageCollectorMXBeans()) sum += collector.getCollectionTime();
        return sum;
    }

    /** Flink removes files of its own while this goes through them: what is in the way is tried again, and left to the system at last. */
    private static void delete(Path directory) throws InterruptedException {
        for (int attempt = 0; attempt < 20 && Files.exists(directory); attempt++) {
            try (Stream<Path> files = Files.walk(directory)) {
                for (Path file : files.sorted(Comparator.reverseOrder()).toList()) Files.deleteIfExists(file);
            } catch (IOException | UncheckedIOException e) {
                Thread.sleep(100);
            }
        }
    }

    private static void dump(Path directory, Options options) throws Exception {
        long records = options.get("records", 100_000);
        int parallelism = (int) options.get("parallelism", 1);
        Files.createDirectories(directory);
        dumpGenerator(directory, records);
        Path scratch = Files.createTempDirectory("flink-peer");
        StreamExecutionEnvironment env = environment(parallelism, 0, 100, scratch);
        dumpLines(env, Workloads.window(Workloads.bids(env, records, true, 0)).map(Json::of).returns(String.class), directory.resolve("w4.jsonl"));
        env = environment(parallelism, 0, 100, scratch);
        dumpLines(env, Workloads.join(env, records).map(Json::of).returns(String.class), directory.resolve("w5.jsonl"));
        delete(scratch);
    }

    private static void dumpGenerator(Path directory, long records) throws IOException {
        Generator generator = new Generator();
        Bid bid = new Bid();
        Auction auction = new Auction();
        Person person = new Person();
        try (BufferedWriter bids = Files.newBufferedWriter(directory.resolve("bids.jsonl"));
                BufferedWriter events = Files.newBufferedWriter(directory.resolve("events.jsonl"))) {
            for (long i = 0; i < records; i++) {
                generator.bid(Generator.eventOfBid(i), bid);
                bids.append(Json.of(bid)).append('\n');
                switch (Generator.kind(i)) {
                    case 0 -> {
                        generator.person(i, person);
                        events.append("{\"person\":").append(Json.of(person));
                    }
                    case 1 -> {
                        generator.auction(i, auction);
                        events.append("{\"auction\":").append(Json.of(auction));
                    }
                    default -> {
                        generator.bid(i, bid);
                        events.append("{\"bid\":").append(Json.of(bid));
                    }
                }
                events.append("}\n");
            }
        }
    }

    private static void dumpLines(StreamExecutionEnvironment env, DataStream<String> lines, Path to) throws Exception {
        LineSink.LINES.clear();
        lines.sinkTo(new LineSink());
        env.execute("dump");
        String[] sorted = LineSink.LINES.toArray(new String[0]);
        Arrays.sort(sorted);
        Files.write(to, Arrays.asList(sorted), StandardCharsets.UTF_8);
    }
}
