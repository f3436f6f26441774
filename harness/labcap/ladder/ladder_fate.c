/* ladder_fate.c - what became of packets on their way, in words. See ladder_say.h. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ladder_say.h"

enum { NS_PER_MS = 1000000, LATE_NS = 10 * NS_PER_MS };

void segment_fate(struct segment_record *s, const struct fate *fate)
{
    s->fate_told = true;
    s->damaged |= fate->damaged;
    if (fate->arrivals == 1) {
        s->after = fate->after;
        s->transit_ns = fate->transit_ns;
    }
    s->arrivals = fate->arrivals < UINT32_MAX ? (uint32_t)fate->arrivals : UINT32_MAX;
    if (fate->state.changed) {
        s->state_changed[fate->side] = true;
        s->seen_state[fate->side] = (uint8_t)fate->state.state;
    }
}

bool fate_is_ordinary(const struct segment_record *s)
{
    return !s->fate_told ||
           (s->arrivals == 1 && !s->damaged && s->after == 0 && s->transit_ns < LATE_NS);
}

/* ---- One row ---- */

static void note_copies(char *note, uint32_t arrivals)
{
    char text[40];

    snprintf(text, sizeof text, "arrives %" PRIu32 " times", arrivals);
    tell_note(note, arrivals == 2 ? "arrives twice" : text);
}

static void note_transit(char *note, int64_t ns)
{
    char text[40];

    if (ns < 1000 * (int64_t)NS_PER_MS)
        snprintf(text, sizeof text, "arrives %" PRId64 " ms later",
                 (ns + NS_PER_MS / 2) / NS_PER_MS);
    else
        snprintf(text, sizeof text, "arrives %.2f s later", (double)ns / 1e9);
    tell_note(note, text);
}

void tell_fate(const struct segment_record *s, struct ladder_row *row)
{
    char text[48];

    if (s->arrivals == 0) {
        row->lost = true;
        row->tone = TONE_BAD;
        return;
    }
    if (s->damaged)
        tell_note(row->note, "arrives damaged");
    if (s->arrivals > 1)
        note_copies(row->note, s->arrivals);
    if (s->after != 0) {
        snprintf(text, sizeof text, "arrives after packet %" PRIu64, s->after);
        tell_note(row->note, text);
    }
    if (s->transit_ns >= LATE_NS)
        note_transit(row->note, s->transit_ns);
}

/* ---- All of them ---- */

static bool all_well(const struct transit_side *side)
{
    return side->lost.count + side->duplicated.count + side->reordered.count +
               side->corrupted.count ==
           0;
}

/* " Of 12 packets to the server": what the sentence is about. */
static void say_sent(const struct flow *flow, const struct transit_side *side, const char *to,
                     struct growing *g)
{
    const char *unit = flow->protocol == IP_TCP ? "packet" : "datagram";

    if (side->sent == 1)
        say(g, " The %s %s", unit, to);
    else if (!all_well(side))
        say(g, " Of %" PRIu64 " %ss %s", side->sent, unit, to);
    else if (side->sent == 2)
        say(g, " Both %ss %s", unit, to);
    else
        say(g, " All %" PRIu64 " %ss %s", side->sent, unit, to);
}

static void say_direction(const struct flow *flow, const struct transit_side *side,
                          const char *to, struct growing *g)
{
    const struct {
        uint64_t count;
        const char *what;
    } events[] = {{side->lost.count, "lost"},
                  {side->duplicated.count, "duplicated"},
                  {side->reordered.count, "reordered"},
                  {side->corrupted.count, "damaged"}};
    const char *comma = "";

    if (side->sent == 0)
        return;
    say_sent(flow, side, to, g);
    if (all_well(side))
        say(g, " arrived");
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        if (events[i].count == 0)
            continue;
        say(g, "%s", comma);
        if (side->sent > 1)
            say(g, " %" PRIu64, events[i].count);
        say(g, " %s %s", side->sent == 1 || events[i].count == 1 ? "was" : "were",
            events[i].what);
        comma = ",";
    }
    say(g, ".");
}

void tell_transit(const struct flow *flow, struct growing *g)
{
    const struct transit_side *side;
    unsigned client = flow_client(flow);

    if (flow->transit == NULL)
        return;
    side = flow->transit->side;
    say_direction(flow, &side[client], "to the server", g);
    say_direction(flow, &side[client ^ 1], "to the client", g);
}
