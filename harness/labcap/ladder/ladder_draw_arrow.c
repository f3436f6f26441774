/* ladder_draw_arrow.c - a packet's row. See ladder_draw.h. */
#include <string.h>

#include "ladder_draw.h"
#include "ladder_draw_internal.h"

enum { ARROW_DECORATION = 5 /* "- text ->" without the text */ };

static const char lost_word[] = "lost";

/* What an arrow is made of: its texts, and how many columns each part takes. */
struct arrow {
    char text[LADDER_TEXT_ROOM];
    int length;
    const char *note; /* "" for none */
    int shaft;        /* dashes between text and head */
    int beyond;       /* columns between a lost one's head and the lane */
};

/* The fullest wording that fits, or the shortest there is. `note`: columns of the note. */
static unsigned choose_wording(const struct ladder_row *row, int room, int note)
{
    unsigned i = 0;

    for (; i + 1 < row->wording_count; i++) {
        int beside = i < row->ample && note > 0 ? 2 + note : 0;

        if ((int)wording_length(row, i) + beside <= room)
            break;
    }
    return i;
}

static char *write_texts(char *to, const struct style *s, const struct ladder_row *row,
                         const struct arrow *a)
{
    *to++ = ' ';
    to = write_text(to, s, row->tone, a->text, (size_t)a->length);
    if (*a->note != '\0') {
        to = stpcpy(to, ", ");
        to = write_text(to, s, TONE_NOTE, a->note, strlen(a->note));
    }
    *to++ = ' ';
    return to;
}

static char *write_shaft(char *to, const struct style *s, enum tone tone, int dashes)
{
    to = write_dashes(write_tone(to, s, tone), dashes, s->utf8);
    return write_tone(to, s, TONE_PLAIN);
}

static char *write_head(char *to, const struct style *s, const struct ladder_row *row)
{
    if (row->lost)
        return write_sign(to, s, row->tone, "\u2573", 'x');
    if (row->to_server)
        return write_sign(to, s, row->tone, "\u25ba", '>');
    return write_sign(to, s, row->tone, "\u25c4", '<');
}

/* The word behind a lost one's head, and the way that it did not go. */
static char *write_beyond(char *to, const struct style *s, const struct ladder_row *row,
                          int columns)
{
    int word = (int)sizeof lost_word - 1, gap = columns - word - 1;

    if (!row->lost)
        return to;
    to = write_spaces(to, row->to_server ? 1 : gap);
    to = write_text(to, s, row->tone, lost_word, (size_t)word);
    return write_spaces(to, row->to_server ? gap : 1);
}

static char *write_arrow(char *to, const struct style *s, const struct ladder_row *row,
                         const struct arrow *a)
{
    if (row->to_server) {
        to = write_shaft(to, s, row->tone, 1);
        to = write_texts(to, s, row, a);
        to = write_shaft(to, s, row->tone, a->shaft);
        to = write_head(to, s, row);
        return write_beyond(to, s, row, a->beyond);
    }
    to = write_beyond(to, s, row, a->beyond);
    to = write_head(to, s, row);
    to = write_shaft(to, s, row->tone, a->shaft);
    to = write_texts(to, s, row, a);
    return write_shaft(to, s, row->tone, 1);
}

/* A lost packet's arrow ends in the middle, or where its text ends. */
static void measure(const struct style *s, const struct ladder_row *row, struct arrow *a)
{
    int texts = a->length + (*a->note != '\0' ? 2 + (int)strlen(a->note) : 0);
    int area = ladder_area(s), length = area;

    if (row->lost) {
        length = texts + ARROW_DECORATION > area / 2 ? texts + ARROW_DECORATION : area / 2;
        a->beyond = area - length;
    }
    a->shaft = length - texts - ARROW_DECORATION + 1;
}

void ladder_arrow(const struct style *s, const struct ladder_row *row)
{
    int room = ladder_area(s) - ARROW_DECORATION - (row->lost ? (int)sizeof lost_word : 0);
    int note = (int)strlen(row->note);
    struct arrow arrow;
    bool inside;
    char *to;

    arrow.length = (int)wording_text(arrow.text, row, choose_wording(row, room, note));
    inside = note > 0 && arrow.length + 2 + note <= room;
    arrow.note = inside ? row->note : "";
    measure(s, row, &arrow);
    to = write_left(out_room(ROW_ROOM), s, row->number, row->time, row->state[0], LANE_WHOLE);
    to = write_arrow(to, s, row, &arrow);
    out_until(write_right(to, s, row->state[1], LANE_WHOLE));
    if (note > 0 && !inside)
        ladder_remark(s, row->to_server, TONE_NOTE, row->note);
    states_beneath(s, row->state);
}
