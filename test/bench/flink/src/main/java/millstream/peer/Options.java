package millstream.peer;

import java.util.HashMap;
import java.util.Map;
import java.util.Set;

/** {@code --name value} options. */
final class Options {
    private static final Set<String> NAMES =
            Set.of("parallelism", "records", "warmup", "runs", "ckpt", "rate", "buffer");

    private final Map<String, Long> values = new HashMap<>();

    Options(String[] arguments, int from) {
        for (int i = from; i < arguments.length; i += 2) {
            String name = arguments[i].startsWith("--") ? arguments[i].substring(2) : "";
            if (!NAMES.contains(name) || i + 1 == arguments.length) {
                throw new IllegalArgumentException("cannot read option '" + arguments[i] + "': options are " + NAMES + ", each with a number");
            }
            values.put(name, Long.parseLong(arguments[i + 1]));
        }
    }

    long get(String name, long unless) {
        return values.getOrDefault(name, unless);
    }
}
