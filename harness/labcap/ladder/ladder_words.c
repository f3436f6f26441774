/* ladder_words.c - see ladder_words.h. Without stdio: a trace may have millions of rows. */
#include "ladder_words.h"

#include <string.h>

#include "digits.h"

/* What a wording says behind the label: ACKED_BY and ACKED_TO are one thing. */
enum part { SEQ, ACK, ACKED_BY, ACKED_TO, LEN };

#define S LADDER_OCTET(SEQ)
#define A LADDER_OCTET(ACK)
#define P (LADDER_OCTET(ACKED_BY) | LADDER_OCTET(ACKED_TO))
#define L LADDER_OCTET(LEN)
#define LABEL LADDER_OCTET(LADDER_LABEL)

static const struct ladder_word nothing = LADDER_WORD(""), seq = LADDER_WORD(" seq "),
                                ack = LADDER_WORD(" ack "), len = LADDER_WORD(" len "),
                                packet = LADDER_WORD(" (packet "),
                                packets = LADDER_WORD(" (packets "), comma = LADDER_WORD(", "),
                                dash = LADDER_WORD("-"), end = LADDER_WORD(")");

static inline void set_part(struct ladder_row *row, unsigned which,
                            const struct ladder_word *before, int64_t number,
                            const struct ladder_word *behind)
{
    uint64_t magnitude = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    unsigned digits = digits_count(magnitude) + (number < 0);

    row->parts[which] = (struct ladder_part){before, behind, number};
    row->lengths |= (uint64_t)(before->length + digits + behind->length) << 8 * which;
}

/* " (packet 4)", " (packets 4, 6)", " (packets 4-9)": whose data the number before it
 * acknowledges. */
static inline void set_acknowledged(struct ladder_row *row, const struct segment_record *s)
{
    if (s->acks_first == s->acks_last) {
        set_part(row, ACKED_BY, &packet, (int64_t)s->acks_first, &end);
        return;
    }
    set_part(row, ACKED_BY, &packets, (int64_t)s->acks_first, &nothing);
    set_part(row, ACKED_TO, s->acks_more ? &dash : &comma, (int64_t)s->acks_last, &end);
}

void word_row(struct ladder_row *row, const struct segment_record *s)
{
    static const struct ladder_wordings
        of_ack = {{LABEL | S | A | P, LABEL | A | P, LABEL | S | A, LABEL | A, LABEL}, P, 5},
        of_step = {{LABEL | S | A | P, LABEL | S | A, LABEL | A, LABEL}, P, 4},
        of_data = {{LABEL | S | A | P | L, LABEL | S | A | L, LABEL | S | L, LABEL | A | L,
                    LABEL | L, LABEL}, P, 6};

    set_part(row, SEQ, &seq, s->seq, &nothing);
    if (s->has_ack)
        set_part(row, ACK, &ack, s->ack, &nothing);
    if (s->has_ack && s->acks_first > 0)
        set_acknowledged(row, s);
    if (s->payload_len > 0)
        set_part(row, LEN, &len, s->payload_len, &nothing);
    row->wordings = s->payload_len > 0 || !s->has_ack ? &of_data
                    : s->teardown                     ? &of_step
                                                      : &of_ack;
}

void word_datagram(struct ladder_row *row, uint32_t bytes, uint32_t fragments)
{
    enum { MANY_BYTES, FRAGMENTS, BYTES, SHORT, SHORT_FRAGMENTS };
    static const struct ladder_word datagram = LADDER_WORD("datagram, "),
                                    length = LADDER_WORD("len "), byte_each = LADDER_WORD(" byte"),
                                    many_bytes = LADDER_WORD(" bytes"),
                                    fragment = LADDER_WORD(" fragment"),
                                    many_fragments = LADDER_WORD(" fragments");
    static const struct ladder_wordings
        whole = {{LADDER_OCTET(BYTES), LADDER_OCTET(SHORT)}, 0, 2},
        in_fragments = {{LADDER_OCTET(MANY_BYTES) | LADDER_OCTET(FRAGMENTS),
                         LADDER_OCTET(SHORT) | LADDER_OCTET(SHORT_FRAGMENTS), LADDER_OCTET(BYTES),
                         LADDER_OCTET(SHORT)}, 0, 4};

    set_part(row, BYTES, &datagram, bytes, bytes == 1 ? &byte_each : &many_bytes);
    set_part(row, SHORT, &length, bytes, &nothing);
    row->wordings = &whole;
    if (fragments == 0)
        return;
    set_part(row, MANY_BYTES, &datagram, bytes, &many_bytes);
    set_part(row, FRAGMENTS, &comma, fragments, fragments == 1 ? &fragment : &many_fragments);
    set_part(row, SHORT_FRAGMENTS, &comma, fragments, &many_fragments);
    row->wordings = &in_fragments;
}

void word_unreachable(struct ladder_row *row)
{
    static const struct ladder_word icmp = LADDER_WORD("ICMP");
    static const struct ladder_wordings wordings = {{LABEL, LADDER_OCTET(0)}, 0, 2};

    row->parts[0] = (struct ladder_part){&icmp, &nothing, 0};
    row->lengths |= icmp.length;
    row->wordings = &wordings;
}

char *write_wording(char to[LADDER_TEXT_ROOM], const struct ladder_row *row, unsigned wording)
{
    uint64_t lengths = row->lengths & row->wordings->says[wording];

    memcpy(to, row->label, LADDER_LABEL_MAX);
    to += lengths >> 8 * LADDER_LABEL;
    for (const struct ladder_part *part = row->parts; part < row->parts + LADDER_PARTS; part++) {
        unsigned length = lengths & 0xff;

        lengths >>= 8;
        if (length == 0)
            continue;
        digits_signed(write_word(to, part->before), part->number);
        to += length;
        write_word(to - part->behind->length, part->behind);
    }
    return to;
}
