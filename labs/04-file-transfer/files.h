/*
 * files - the files that are sent and received. Two rules are kept here: no
 * name leads out of the folder that is served, and no file is seen under its
 * name before it is whole.
 *
 * Functions that fail return -1 or false and leave the reason in errno; they
 * print nothing.
 */
#ifndef FILES_H
#define FILES_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/* Returns a descriptor of folder NAME, any path, or -1. */
int open_folder(const char *name);

/*
 * Opens the regular file, or the folder, PATH beneath FOLDER, for reading;
 * returns its descriptor or -1. A leading / is FOLDER itself, as is an empty
 * path for open_folder_in(). Symbolic links are never followed, `..` is
 * refused (EACCES). What is something else, such as a FIFO, a device or a
 * link, is treated as if it were not there (ENOENT). Neither waits.
 */
int open_file_in(int folder, const char *path);
int open_folder_in(int folder, const char *path);

/*
 * A file that is being received. Until it is whole it has a temporary name,
 * .NAME.XXXXXX, in the folder where it will be; a reader of that folder never
 * sees a part of it as the file. A process saves one file at a time.
 */
struct saving {
    int fd;                             /* to write to */
    int folder;                         /* where both names are */
    char name[NAME_MAX + 1], temporary[NAME_MAX + 1];
};

/* Begins to save PATH beneath FOLDER, taken as above. What has that name and
 * is no regular file stays: EISDIR or EEXIST. */
bool begin_saving(struct saving *saving, int folder, const char *path);

/* The same for a path of the user's own, which may be anywhere. */
bool begin_saving_as(struct saving *saving, const char *local);

/* Writes all the bytes. On failure, call give_up_saving(). */
bool save(struct saving *saving, const void *data, size_t len);

/* The file is whole: gives it its name. An old file is replaced, or kept
 * where replace is false (EEXIST). On failure nothing of the file stays. */
bool finish_saving(struct saving *saving, bool replace);

/* Removes what there is of the file. Keeps errno. */
void give_up_saving(struct saving *saving);

/* From now on SIGINT and SIGTERM end the process with STATUS; what is being
 * saved then is removed. */
void clean_up_on_signals(int status);

/* What follows the last / of PATH. */
const char *base_name(const char *path);

/* NAME can be a file's own name: no folder, not `.` or `..`, not too long. */
bool is_base_name(const char *name);

#endif
