/* ladder_words.c - see ladder_words.h. Without stdio: a trace may have millions of rows. */
#include "ladder_words.h"

#include <limits.h>
#include <string.h>

#include "ladder_text.h"

/* What a wording says behind the label. */
enum part { SEQ, ACK, ACKNOWLEDGED, LEN };

/* `name` and a number. Returns the end. */
static char *write_number(char *to, const char *name, size_t length, int64_t number)
{
    memcpy(to, name, length);
    to += length;
    return to + number_text(to, number);
}

#define NUMBER(to, name, number) write_number(to, name, sizeof name - 1, number)

/* " (packet 4)", " (packets 4, 6)", " (packets 4-9)": whose data the number before it
 * acknowledges. */
static char *write_acknowledged(char *to, const struct segment_record *s)
{
    if (s->acks_first == s->acks_last)
        to = NUMBER(to, " (packet ", (int64_t)s->acks_first);
    else
        to = NUMBER(to, " (packets ", (int64_t)s->acks_first);
    if (s->acks_first != s->acks_last && s->acks_more)
        to = NUMBER(to, "-", (int64_t)s->acks_last);
    else if (s->acks_first != s->acks_last)
        to = NUMBER(to, ", ", (int64_t)s->acks_last);
    *to++ = ')';
    return to;
}

static void end_part(struct ladder_part *part, const char *end)
{
    part->length = (size_t)(end - part->text);
}

/* The parts that the segment has; returns which. */
static unsigned word_parts(struct ladder_part parts[LADDER_PARTS], const struct segment_record *s)
{
    unsigned has = 1 << SEQ;

    end_part(&parts[SEQ], NUMBER(parts[SEQ].text, " seq ", s->seq));
    if (s->has_ack) {
        end_part(&parts[ACK], NUMBER(parts[ACK].text, " ack ", s->ack));
        has |= 1 << ACK;
    }
    if (s->has_ack && s->acks_first > 0) {
        end_part(&parts[ACKNOWLEDGED], write_acknowledged(parts[ACKNOWLEDGED].text, s));
        has |= 1 << ACKNOWLEDGED;
    }
    if (s->payload_len > 0) {
        end_part(&parts[LEN], NUMBER(parts[LEN].text, " len ", s->payload_len));
        has |= 1 << LEN;
    }
    return has;
}

enum { S = 1 << SEQ, A = 1 << ACK, P = 1 << ACKNOWLEDGED, L = 1 << LEN };

void word_row(struct ladder_row *row, const struct segment_record *s)
{
    static const uint8_t of_ack[] = {S | A | P, A | P, S | A, A, 0};
    static const uint8_t of_step[] = {S | A | P, S | A, A, 0};
    static const uint8_t of_data[] = {S | A | P | L, S | A | L, S | L, A | L, L, 0};
    bool data = s->payload_len > 0 || !s->has_ack;
    const uint8_t *wordings = data ? of_data : s->teardown ? of_step : of_ack;
    size_t count = data ? sizeof of_data : s->teardown ? sizeof of_step : sizeof of_ack;
    unsigned has = word_parts(row->parts, s), last = UINT_MAX;

    for (size_t i = 0; i < count; i++) {
        unsigned says = wordings[i] & has;

        if (says == last)
            continue;
        row->wordings[row->wording_count++] = (uint8_t)(says | LADDER_LABEL);
        row->ample += (says & P) != 0;
        last = says;
    }
}

void word_whole(struct ladder_row *row, const char *text)
{
    unsigned part = row->wording_count;

    row->parts[part].length = strlen(text);
    memcpy(row->parts[part].text, text, row->parts[part].length + 1);
    row->wordings[row->wording_count++] = (uint8_t)(1u << part);
}

size_t wording_length(const struct ladder_row *row, unsigned wording)
{
    unsigned says = row->wordings[wording];
    size_t length = says & LADDER_LABEL ? row->label_length : 0;

    for (unsigned p = 0; p < LADDER_PARTS; p++)
        if (says & 1u << p && length + row->parts[p].length < LADDER_TEXT_MAX)
            length += row->parts[p].length;
    return length;
}

size_t wording_text(char text[LADDER_TEXT_ROOM], const struct ladder_row *row, unsigned wording)
{
    unsigned says = row->wordings[wording];
    size_t length = 0;

    if (says & LADDER_LABEL) {
        memcpy(text, row->label, LADDER_LABEL_MAX);
        length = row->label_length;
    }
    for (unsigned p = 0; p < LADDER_PARTS; p++) {
        if (!(says & 1u << p) || length + row->parts[p].length >= LADDER_TEXT_MAX)
            continue;
        memcpy(text + length, row->parts[p].text, LADDER_PART_MAX);
        length += row->parts[p].length;
    }
    text[length] = '\0';
    return length;
}
