package millstream.peer;

/** One event of the mixed stream: kind 0 person, 1 auction, 2 bid; the other two fields are stale or null. */
public class Event {
    public int kind;
    public Person person;
    public Auction auction;
    public Bid bid;

    public Event() {}
}
