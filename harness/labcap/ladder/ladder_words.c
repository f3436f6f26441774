/* ladder_words.c - see ladder_words.h. Without stdio: a trace may have millions of rows. */
#include "ladder_words.h"

#include <string.h>

#include "digits.h"

/* What a wording says behind the label: ACKED_BY and ACKED_TO are one thing. */
enum part { SEQ, ACK, ACKED_BY, ACKED_TO, LEN };

enum {
    S = 1 << SEQ,
    A = 1 << ACK,
    P = 1 << ACKED_BY | 1 << ACKED_TO,
    L = 1 << LEN,
    SETS = 1 << LADDER_PARTS
};

static const struct ladder_word seq = LADDER_WORD(" seq "),
                                ack = LADDER_WORD(" ack "), len = LADDER_WORD(" len "),
                                packet = LADDER_WORD(" (packet "),
                                packets = LADDER_WORD(" (packets "), comma = LADDER_WORD(", "),
                                dash = LADDER_WORD("-"), end = LADDER_WORD(")");

static void set_part(struct ladder_part *part, const struct ladder_word *before, int64_t number,
                     const struct ladder_word *behind)
{
    uint64_t magnitude = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    unsigned length = before->length + digits_count(magnitude) + (number < 0 ? 1 : 0);

    part->before = before;
    part->behind = behind;
    part->number = number;
    part->has_number = true;
    part->length = (uint8_t)(length + (behind != NULL ? behind->length : 0));
}

/* " (packet 4)", " (packets 4, 6)", " (packets 4-9)": whose data the number before it
 * acknowledges. Returns which parts that takes. */
static unsigned set_acknowledged(struct ladder_part parts[LADDER_PARTS],
                                 const struct segment_record *s)
{
    if (s->acks_first == s->acks_last) {
        set_part(&parts[ACKED_BY], &packet, (int64_t)s->acks_first, &end);
        return 1 << ACKED_BY;
    }
    set_part(&parts[ACKED_BY], &packets, (int64_t)s->acks_first, NULL);
    set_part(&parts[ACKED_TO], s->acks_more ? &dash : &comma, (int64_t)s->acks_last, &end);
    return P;
}

/* The parts that the segment has; returns which. */
static unsigned set_parts(struct ladder_part parts[LADDER_PARTS], const struct segment_record *s)
{
    unsigned has = S;

    set_part(&parts[SEQ], &seq, s->seq, NULL);
    if (s->has_ack) {
        set_part(&parts[ACK], &ack, s->ack, NULL);
        has |= A;
    }
    if (s->has_ack && s->acks_first > 0)
        has |= set_acknowledged(parts, s);
    if (s->payload_len > 0) {
        set_part(&parts[LEN], &len, s->payload_len, NULL);
        has |= L;
    }
    return has;
}

/* What kind of segment it is, by which its wordings differ. */
enum kind { OF_ACK, OF_STEP, OF_DATA, KINDS };

static void make_wordings(struct ladder_wordings *made, enum kind kind, unsigned has)
{
    static const uint8_t most[KINDS][LADDER_WORDINGS] = {
        [OF_ACK] = {S | A | P, A | P, S | A, A, 0},
        [OF_STEP] = {S | A | P, S | A, A, 0},
        [OF_DATA] = {S | A | P | L, S | A | L, S | L, A | L, L, 0}};

    for (size_t i = 0; i == 0 || most[kind][i - 1] != 0; i++) {
        unsigned says = (most[kind][i] & has) | LADDER_LABEL;

        if (made->count > 0 && says == made->says[made->count - 1])
            continue;
        made->says[made->count++] = (uint8_t)says;
        made->ample = (uint8_t)(made->ample + ((says & P) != 0));
    }
}

void word_row(struct ladder_row *row, const struct segment_record *s)
{
    static struct ladder_wordings all[KINDS][SETS]; /* made when they are needed */
    enum kind kind = s->payload_len > 0 || !s->has_ack ? OF_DATA : s->teardown ? OF_STEP : OF_ACK;
    unsigned has = set_parts(row->parts, s);
    struct ladder_wordings *known = &all[kind][has];

    if (known->count == 0)
        make_wordings(known, kind, has);
    row->wordings = known;
}

void word_datagram(struct ladder_row *row, uint32_t bytes, uint32_t fragments)
{
    enum { MANY_BYTES, FRAGMENTS, BYTES, SHORT, SHORT_FRAGMENTS };
    static const struct ladder_word datagram = LADDER_WORD("datagram, "),
                                    length = LADDER_WORD("len "), byte_each = LADDER_WORD(" byte"),
                                    many_bytes = LADDER_WORD(" bytes"),
                                    fragment = LADDER_WORD(" fragment"),
                                    many_fragments = LADDER_WORD(" fragments");
    static const struct ladder_wordings whole = {{1 << BYTES, 1 << SHORT}, 2, 0},
        in_fragments = {{1 << MANY_BYTES | 1 << FRAGMENTS, 1 << SHORT | 1 << SHORT_FRAGMENTS,
                         1 << BYTES, 1 << SHORT}, 4, 0};

    set_part(&row->parts[BYTES], &datagram, bytes, bytes == 1 ? &byte_each : &many_bytes);
    set_part(&row->parts[SHORT], &length, bytes, NULL);
    row->wordings = &whole;
    if (fragments == 0)
        return;
    set_part(&row->parts[MANY_BYTES], &datagram, bytes, &many_bytes);
    set_part(&row->parts[FRAGMENTS], &comma, fragments,
             fragments == 1 ? &fragment : &many_fragments);
    set_part(&row->parts[SHORT_FRAGMENTS], &comma, fragments, &many_fragments);
    row->wordings = &in_fragments;
}

void word_unreachable(struct ladder_row *row)
{
    static const struct ladder_word icmp = LADDER_WORD("ICMP");
    static const struct ladder_wordings wordings = {{LADDER_LABEL, 1}, 2, 0};

    row->parts[0] = (struct ladder_part){.before = &icmp, .length = icmp.length};
    row->wordings = &wordings;
}

static char *write_word(char *to, const struct ladder_word *word)
{
    memcpy(to, word->text, sizeof word->text);
    return to + word->length;
}

char *write_wording(char to[LADDER_TEXT_ROOM], const struct ladder_row *row, unsigned wording)
{
    unsigned says = row->wordings->says[wording];

    if (says & LADDER_LABEL) {
        memcpy(to, row->label, LADDER_LABEL_MAX);
        to += row->label_length;
    }
    for (unsigned parts = says & (SETS - 1); parts != 0; parts &= parts - 1) {
        const struct ladder_part *part = &row->parts[__builtin_ctz(parts)];

        to = write_word(to, part->before);
        if (part->has_number)
            to = digits_signed(to, part->number);
        if (part->behind != NULL)
            to = write_word(to, part->behind);
    }
    return to;
}
