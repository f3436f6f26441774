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

static void put_texts(const struct style *s, const struct ladder_row *row, const struct arrow *a)
{
    out_char(' ');
    if (a->length > 0) {
        begin_tone(s, row->tone);
        OUT_SOME(a->text, (size_t)a->length);
        end_tone(s);
    }
    if (*a->note != '\0') {
        out_text(", ");
        put(s, TONE_NOTE, a->note);
    }
    out_char(' ');
}

static void put_head(const struct style *s, const struct ladder_row *row)
{
    if (row->lost)
        put_sign(s, row->tone, "\u2573", "x");
    else if (row->to_server)
        put_sign(s, row->tone, "\u25ba", ">");
    else
        put_sign(s, row->tone, "\u25c4", "<");
}

/* The word behind a lost one's head, and the way that it did not go. */
static void put_beyond(const struct style *s, const struct ladder_row *row, int columns)
{
    int gap = columns - (int)strlen(lost_word) - 1;

    if (!row->lost)
        return;
    out_spaces(row->to_server ? 1 : gap);
    put(s, row->tone, lost_word);
    out_spaces(row->to_server ? gap : 1);
}

static void put_arrow(const struct style *s, const struct ladder_row *row, const struct arrow *a)
{
    if (row->to_server) {
        put_dashes(s, row->tone, 1);
        put_texts(s, row, a);
    } else {
        put_beyond(s, row, a->beyond);
        put_head(s, row);
    }
    put_dashes(s, row->tone, a->shaft);
    if (row->to_server) {
        put_head(s, row);
        put_beyond(s, row, a->beyond);
    } else {
        put_texts(s, row, a);
        put_dashes(s, row->tone, 1);
    }
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
    int room = ladder_area(s) - ARROW_DECORATION - (row->lost ? (int)strlen(lost_word) + 1 : 0);
    int note = (int)strlen(row->note);
    struct arrow arrow;
    bool inside;

    arrow.length = (int)wording_text(arrow.text, row, choose_wording(row, room, note));
    inside = note > 0 && arrow.length + 2 + note <= room;
    arrow.note = inside ? row->note : "";
    measure(s, row, &arrow);
    left_of_lane(s, row->number, row->time, row->state[0], LANE_WHOLE);
    put_arrow(s, row, &arrow);
    right_of_lane(s, row->state[1], LANE_WHOLE);
    if (note > 0 && !inside)
        ladder_remark(s, row->to_server, TONE_NOTE, row->note);
    states_beneath(s, row->state);
}
