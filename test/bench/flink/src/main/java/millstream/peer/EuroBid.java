package millstream.peer;

/** A bid with its price in euros. */
public class EuroBid {
    public long auction;
    public long bidder;
    public double price;
    public String channel;
    public String url;
    public long dateTime;
    public String extra;

    public EuroBid() {}

    static EuroBid of(Bid bid) {
        EuroBid euro = new EuroBid();
        euro.auction = bid.auction;
        euro.bidder = bid.bidder;
        euro.price = bid.price * 0.908;
        euro.channel = bid.channel;
        euro.url = bid.url;
        euro.dateTime = bid.dateTime;
        euro.extra = bid.extra;
        return euro;
    }
}
