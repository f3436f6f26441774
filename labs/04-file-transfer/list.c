/* list - see list.h. */
#include "list.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "data.h"
#include "files.h"
#include "net.h"
#include "paths.h"
#include "session.h"
#include "transfer.h"

/* What `ls -l` prints in front of a name. Programs read it too: so it has
 * English months, and owners that mean nothing. */
static void describe_status(const struct stat *status, char *text, size_t size)
{
    char mode[] = "-rwxrwxrwx", date[32] = "Jan  1  1970";
    const struct tm *when = gmtime(&status->st_mtime);
    double age = difftime(time(NULL), status->st_mtime);
    bool is_recent = age > -86400 && age < 180 * 86400.0;

    mode[0] = S_ISDIR(status->st_mode) ? 'd' : '-';
    for (int i = 0; i < 9; i++)
        if ((status->st_mode & (0400u >> i)) == 0)
            mode[1 + i] = '-';
    if (when != NULL)
        strftime(date, sizeof date,
                 is_recent ? "%b %e %H:%M" : "%b %e  %Y", when);
    snprintf(text, size, "%s %3lu ftp ftp %12lld %s ",
             mode, (unsigned long)status->st_nlink,
             (long long)status->st_size, date);
}

/* Links, FIFOs and devices are left out, as nobody could get them. */
static bool send_line(int data_fd, const char *name,
                      const struct stat *status, bool is_long)
{
    char about[128] = "", line[sizeof about + NAME_MAX + 3];

    if (!S_ISDIR(status->st_mode) && !S_ISREG(status->st_mode))
        return true;
    if (is_long)
        describe_status(status, about, sizeof about);
    int len = snprintf(line, sizeof line, "%s%s\r\n", about, name);
    return send_all(data_fd, line, (size_t)len) == 0;
}

static enum outcome send_folder(int data_fd, DIR *folder, bool is_long)
{
    struct dirent *entry;

    /* STEP 15: a line for each name in the folder. Hidden names are not told,
     * nor those with a line end in them: they would look like two. */
    while (errno = 0, (entry = readdir(folder)) != NULL) {
        struct stat status;
        const char *name = entry->d_name;
        if (name[0] != '.' && is_printable(name)
            && fstatat(dirfd(folder), name, &status, AT_SYMLINK_NOFOLLOW) == 0
            && !send_line(data_fd, name, &status, is_long))
            return BROKEN;
    }
    /* END STEP 15; stub:
    (void)data_fd;
    (void)folder;
    (void)is_long;
    (void)entry;
    errno = 0; */

    return errno == 0 ? DONE : FILE_FAILED;
}

/* FD is a folder, or a file called NAME: that makes a list of one. */
static enum outcome send_list(int data_fd, int fd, const char *name,
                              bool is_long)
{
    struct stat status;
    enum outcome outcome = FILE_FAILED;

    if (fstat(fd, &status) < 0)
        return FILE_FAILED;
    if (!S_ISDIR(status.st_mode))
        return send_line(data_fd, name, &status, is_long) ? DONE : BROKEN;

    int own_fd = dup(fd);               /* closedir() closes it */
    DIR *folder = own_fd < 0 ? NULL : fdopendir(own_fd);
    if (folder != NULL) {
        outcome = send_folder(data_fd, folder, is_long);
        closedir(folder);
    } else if (own_fd >= 0) {
        close(own_fd);
    }
    return outcome;
}

/* Without NAME, of the current folder. In front of it some clients put what
 * they know of `ls`, its options. */
static void list(struct session *session, const char *name, bool is_long)
{
    char path[PATH_MAX];
    int top = session->served->folder, data_fd, fd = -1;

    while (name[0] == '-') {
        name += strcspn(name, " ");
        name += strspn(name, " ");
    }
    if (path_of(session, name, path)
        && (fd = open_folder_in(top, path)) < 0)
        fd = open_file_in(top, path);
    if (fd < 0) {
        refuse(session, name);
        return;
    }
    data_fd = open_data(session);
    if (data_fd >= 0)
        end_transfer(session, data_fd,
                     send_list(data_fd, fd, base_name(path), is_long));
    close(fd);
}

void do_list(struct session *session, char *name)
{
    list(session, name, true);
}

void do_nlst(struct session *session, char *name)
{
    list(session, name, false);
}
