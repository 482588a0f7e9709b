package millstream.peer;

/** The deterministic generator; README.md specifies it in language-neutral terms, ../src/generator.ts is its TypeScript form. */
final class Generator {
    static final long BASE_TIME = 1_700_000_000_000L;
    static final int EVENTS_PER_MS = 10;
    static final int MAX_JITTER_MS = 1000;
    private static final int SEED = 0x4D494C4C;
    private static final int URLS = 10_004;
    private static final int TEXTS = 1024;
    private static final String[] HOT_CHANNELS = {"Google", "Facebook", "Baidu", "Apple"};
    private static final String[] CITIES = {
        "Phoenix", "Los Angeles", "San Francisco", "Boise", "Portland", "Bend", "Redmond", "Seattle", "Kent", "Cheyenne"
    };
    private static final String[] STATES = {"AZ", "CA", "CA", "ID", "OR", "OR", "WA", "WA", "WA", "WY"};
    private static final String[] CHANNEL = new String[URLS];
    private static final String[] URL = new String[URLS];
    private static final String[] EXTRA = new String[TEXTS];
    private static final String[] NAME = new String[TEXTS];

    static {
        Generator g = new Generator();
        for (int c = 0; c < URLS; c++) {
            CHANNEL[c] = c < HOT_CHANNELS.length ? HOT_CHANNELS[c] : "channel-" + (c - HOT_CHANNELS.length);
            g.seed(c, 1);
            URL[c] = "https://www.nexmark.test/" + g.letters(5) + "/" + g.letters(5) + "/" + g.letters(5) + "/item.htm?query=1&id=" + c;
        }
        for (int k = 0; k < TEXTS; k++) {
            g.seed(k, 2);
            EXTRA[k] = g.letters(30 + g.next(71));
            g.seed(k, 3);
            NAME[k] = g.letters(6) + " " + g.letters(8);
        }
    }

    private int state;

    private void seed(int i, int stream) {
        int h = i * 0x9E3779B1 + SEED + stream * 0x85EBCA77;
        h ^= h >>> 16;
        h *= 0x85EBCA6B;
        h ^= h >>> 13;
        h *= 0xC2B2AE35;
        h ^= h >>> 16;
        state = h == 0 ? 0x6D2B79F5 : h;
    }

    /** One step of xorshift32, then its upper 31 bits modulo m. */
    private int next(int m) {
        int x = state;
        x ^= x << 13;
        x ^= x >>> 17;
        x ^= x << 5;
        state = x;
        return (x >>> 1) % m;
    }

    private String letters(int count) {
        char[] text = new char[count];
        for (int i = 0; i < count; i++) text[i] = (char) ('a' + next(26));
        return new String(text);
    }

    /** Event number of bid number i. */
    static long eventOfBid(long i) {
        return i / 46 * 50 + 4 + i % 46;
    }

    /** 0 person, 1 auction, 2 bid. */
    static int kind(long event) {
        int m = (int) (event % 50);
        return m == 0 ? 0 : m < 4 ? 1 : 2;
    }

    private long time(long event) {
        return BASE_TIME + event / EVENTS_PER_MS + MAX_JITTER_MS - next(MAX_JITTER_MS);
    }

    void bid(long event, Bid to) {
        seed((int) event, 0);
        long epoch = event / 50, last = epoch * 3 + 2;
        to.dateTime = time(event);
        to.auction = 1000 + (next(2) == 0 ? last / 100 * 100 : Math.max(0, last - next(100)));
        to.bidder = 1000 + (next(4) != 0 ? epoch / 100 * 100 : Math.max(0, epoch - next(1000)));
        to.price = 100 + (long) next(10_000) * (1 + next(100));
        int c = next(2) == 0 ? next(4) : 4 + next(10_000);
        to.channel = CHANNEL[c];
        to.url = URL[c];
        to.extra = EXTRA[next(TEXTS)];
    }

    void auction(long event, Auction to) {
        seed((int) event, 0);
        long epoch = event / 50;
        to.dateTime = time(event);
        to.id = 1000 + epoch * 3 + (event % 50 - 1);
        to.itemName = NAME[next(TEXTS)];
        to.initialBid = 100 + next(10_000);
        to.reserve = to.initialBid + next(10_000);
        to.expires = to.dateTime + 10_000 + next(50_000);
        to.seller = 1000 + Math.max(0, epoch - next(1000));
        to.category = 10 + next(5);
        to.extra = EXTRA[next(TEXTS)];
    }

    void person(long event, Person to) {
        seed((int) event, 0);
        to.dateTime = time(event);
        to.id = 1000 + event / 50;
        to.name = NAME[next(TEXTS)];
        int c = next(CITIES.length);
        to.city = CITIES[c];
        to.state = STATES[c];
        to.extra = EXTRA[next(TEXTS)];
    }
}
