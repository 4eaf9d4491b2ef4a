/*
 * The first process of a step's container: it waits for the agent's word, runs the step, and says
 * how it ended. It is one static program because it must run in any image, also in one without a
 * shell or a C library. It writes no file, and of the image it needs nothing but /dev/null.
 *
 *     launcher run DIRECTORY   DIRECTORY holds the FIFOs go, end and log; docs/pods.md says what
 *                              goes over them ("Between agent and launcher")
 *     launcher await PATH      returns when PATH exists; the agent's postStart hook
 *
 * From top to bottom: what it knows, what can happen, the order, the start, the end.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Exit codes. The middle two are the shells' for a command that could not be started. */
enum { GAVE_UP = 125, NOT_EXECUTABLE = 126, NOT_FOUND = 127, BY_SIGNAL = 128 };

enum { ORDER_LIMIT = 4 * 1024 * 1024, LEFTOVERS_SECONDS = 10 };

#ifndef AWAIT_SECONDS /* the tests have no minute to give */
#define AWAIT_SECONDS 60
#endif

/* The FIFOs, the signals as a descriptor, and the step with its wait status when it has ended. */
static int go, end, step_log, signals;
static pid_t step;
static bool ended;
static int step_status;

static void complain(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    dprintf(STDERR_FILENO, "launcher: ");
    vdprintf(STDERR_FILENO, format, values);
    dprintf(STDERR_FILENO, "\n");
    va_end(values);
}

/* A macro, so that the compiler checks the format and knows that nothing comes after it. */
#define GIVE_UP(...) (complain(__VA_ARGS__), exit(GAVE_UP))

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* ---- What can happen ------------------------------------------------------------------------ */

/* Receive as data every signal that is not about this very process. All the others, because an
 * image may name any as its STOPSIGNAL, and the kernel keeps from a process 1 what it does not ask
 * for. */
static void hold_signals(void)
{
    static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGCONT};
    sigset_t held;
    sigfillset(&held);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        sigdelset(&held, own[i]);
    /* When the agent is gone a write must fail, not become a signal for the step. */
    sigdelset(&held, SIGPIPE);
    signal(SIGPIPE, SIG_IGN);
    /* An ignored SIGCHLD would be inherited, and the kernel would reap in our stead. */
    signal(SIGCHLD, SIG_DFL);
    sigprocmask(SIG_SETMASK, &held, NULL);
    signals = signalfd(-1, &held, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals < 0)
        GIVE_UP("cannot receive signals: %s", strerror(errno));
}

/* Collect the processes that have ended; return whether any are left. */
static bool reap(void)
{
    for (;;) {
        int status;
        pid_t process = waitpid(-1, &status, WNOHANG);
        if (process <= 0)
            return process == 0;
        if (process == step) {
            ended = true;
            step_status = status;
        }
    }
}

enum event { NOTHING, SIGNAL, WORD, ABANDONED };

/* Wait for what happens next, for ever if `milliseconds` is -1; collect children on the way. The
 * agent is gone when the last writer of `go` is (POLLHUP), or the reader of `end` (POLLERR); words
 * that it left are taken first. */
static enum event next_event(int milliseconds, int *which)
{
    struct pollfd all[] = {{signals, POLLIN, 0}, {go, POLLIN, 0}, {end, 0, 0}};
    struct signalfd_siginfo info;
    if (poll(all, 3, milliseconds) <= 0)
        return NOTHING;
    if (read(signals, &info, sizeof info) == sizeof info) {
        *which = (int)info.ssi_signo;
        if (*which != SIGCHLD)
            return SIGNAL;
        reap();
        return NOTHING;
    }
    if (all[1].revents & POLLIN)
        return WORD;
    return all[1].revents || all[2].revents ? ABANDONED : NOTHING;
}

/* ---- The order ------------------------------------------------------------------------------ */

struct order {
    char *directory;
    char **arguments;
    char **variables;
};

/* Read exactly `length` bytes of `go`. Nothing runs yet, so a signal simply ends the launcher. */
static void receive(char *into, size_t length)
{
    while (length) {
        int which;
        ssize_t count;
        switch (next_event(-1, &which)) {
        case SIGNAL:
            complain("ended by signal %d before the step started", which);
            exit(BY_SIGNAL + which);
        case ABANDONED:
            GIVE_UP("the agent went away before it said what to run");
        case WORD:
            count = read(go, into, length);
            if (count > 0) {
                into += count;
                length -= (size_t)count;
            }
            break;
        case NOTHING:
            break;
        }
    }
}

static void receive_header(size_t *bytes, size_t *arguments, size_t *variables)
{
    char header[64] = "", last = '\0';
    size_t length = 0;
    do
        receive(header + length, 1);
    while (header[length++] != '\n' && length < sizeof header - 1);
    if (sscanf(header, "run %8zu %8zu %8zu%c", bytes, arguments, variables, &last) != 4 ||
        last != '\n')
        GIVE_UP("malformed order: not \"run <bytes> <arguments> <variables>\" but %s", header);
    if (*bytes > ORDER_LIMIT)
        GIVE_UP("malformed order: %zu bytes, at most %d are allowed", *bytes, ORDER_LIMIT);
    if (*arguments == 0)
        GIVE_UP("malformed order: it names no command");
    if (*arguments > *bytes || *variables > *bytes)
        GIVE_UP("malformed order: more texts than bytes");
}

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (!memory)
        GIVE_UP("no memory for the order");
    return memory;
}

/* Take the next NUL-terminated text of the order. */
static char *take(char **rest, const char *stop)
{
    char *text = *rest;
    char *close = memchr(text, '\0', (size_t)(stop - text));
    if (!close)
        GIVE_UP("malformed order: fewer texts than its first line says");
    *rest = close + 1;
    return text;
}

/* Whether a variable of the container is left to the step: not where the order has its own, and
 * nothing of the cluster, which is none of the step's business. */
static bool kept(const char *variable, char **own)
{
    if (strncmp(variable, "KUBERNETES_", strlen("KUBERNETES_")) == 0)
        return false;
    size_t name = strcspn(variable, "=");
    for (; *own; own++)
        if (strncmp(*own, variable, name) == 0 && (*own)[name] == '=')
            return false;
    return true;
}

static struct order receive_order(void)
{
    size_t bytes, arguments, variables, inherited = 0;
    receive_header(&bytes, &arguments, &variables);
    char *rest = allocate(bytes + 1, 1);
    const char *stop = rest + bytes;
    receive(rest, bytes);

    while (environ && environ[inherited])
        inherited++;
    struct order order;
    order.directory = take(&rest, stop);
    order.arguments = allocate(arguments + 1, sizeof(char *));
    order.variables = allocate(variables + inherited + 1, sizeof(char *));
    for (size_t i = 0; i < arguments; i++)
        order.arguments[i] = take(&rest, stop);
    for (size_t i = 0; i < variables; i++) {
        order.variables[i] = take(&rest, stop);
        const char *sign = strchr(order.variables[i], '=');
        if (!sign || sign == order.variables[i])
            GIVE_UP("malformed order: variable %zu is not NAME=value", i + 1);
    }
    if (rest != stop)
        GIVE_UP("malformed order: more texts than its first line says");
    for (size_t i = 0, last = variables; i < inherited; i++)
        if (kept(environ[i], order.variables))
            order.variables[last++] = environ[i];
    return order;
}

/* ---- The start ------------------------------------------------------------------------------ */

/* Become the step, as a process that nothing was ever changed for; return if that fails. */
static void become(const struct order *order)
{
    /* All of them, so by the kernel's own call: a libc keeps some to itself, and 0 is SIG_DFL. */
    static const char by_default[64];
    sigset_t none;
    sigemptyset(&none);
    for (int which = 1; which < NSIG; which++)
        syscall(SYS_rt_sigaction, which, by_default, NULL, (NSIG - 1) / 8);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setsid();
    /* Outside a container of its own, nobody else would end the step with a killed launcher. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (nothing < 0 || dup2(nothing, STDIN_FILENO) < 0 || dup2(step_log, STDOUT_FILENO) < 0 ||
        dup2(step_log, STDERR_FILENO) < 0 || chdir(order->directory) < 0)
        return;
    environ = order->variables; /* before the search, which is by the step's PATH */
    execvp(order->arguments[0], order->arguments);
}

/* Start the step; return 0, or the errno that kept it from starting. A successful exec closes the
 * pipe that would have told. */
static int start(const struct order *order)
{
    int report[2], error = 0;
    if (pipe2(report, O_CLOEXEC) < 0 || (step = fork()) < 0) {
        error = errno;
        step = 0;
        return error;
    }
    if (step == 0) {
        become(order);
        error = errno;
        _exit(write(report[1], &error, sizeof error) < 0 ? GAVE_UP : NOT_EXECUTABLE);
    }
    close(report[1]);
    close(step_log);
    if (read(report[0], &error, sizeof error) != sizeof error)
        error = 0;
    close(report[0]);
    return error;
}

/* ---- The end -------------------------------------------------------------------------------- */

/* See the step through; return false if the agent went away. Once it was asked to stop, its whole
 * process group has until SIGKILL to do so: a shell dies at once, what it runs may have to tidy. */
static bool supervise(void)
{
    bool stopping = false;
    while (!ended || (stopping && kill(-step, 0) == 0)) {
        int which;
        char word;
        switch (next_event(ended ? 50 : -1, &which)) {
        case SIGNAL:
            stopping = true;
            kill(-step, which);
            break;
        case ABANDONED:
            return false;
        case WORD:
            if (read(go, &word, 1) != 1)
                break;
            stopping = word == 'T';
            if (word == 'T' || word == 'K')
                kill(-step, stopping ? SIGTERM : SIGKILL);
            else
                complain("the agent asks for '%c', which means nothing", word);
            break;
        case NOTHING:
            break;
        }
    }
    return true;
}

/* Kill what is below this process: everybody else in the container if it is the first one there;
 * else its children, and then theirs, who become its own as they are orphaned. */
static void kill_leftovers(void)
{
    if (getpid() == 1) {
        kill(-1, SIGKILL);
        return;
    }
    FILE *children = fopen("/proc/thread-self/children", "re");
    int process;
    while (children && fscanf(children, "%d", &process) == 1)
        kill(process, SIGKILL);
    if (children)
        fclose(children);
}

/* Leave nothing running, so that all of the log is written; do not wait for ever for a process
 * that cannot be killed, as one in the middle of a dead disk's I/O. */
static void clear_away(void)
{
    const struct timespec turn = {0, 10 * 1000 * 1000};
    const double until = now() + LEFTOVERS_SECONDS;
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    if (step > 0)
        kill(-step, SIGKILL);
    while (reap() && now() < until) {
        kill_leftovers();
        sigtimedwait(&child, NULL, &turn);
    }
}

/* How many processes of this container were killed for want of memory, as far as can be read:
 * https://docs.kernel.org/admin-guide/cgroup-v2.html (memory.events), and cgroup-v1/memory. */
static long out_of_memory_kills(void)
{
    static const char *const places[] = {"/sys/fs/cgroup/memory.events",
                                         "/sys/fs/cgroup/memory/memory.oom_control"};
    for (int i = 0; i < 2; i++) {
        char line[128];
        long kills = -1;
        FILE *file = fopen(places[i], "re");
        while (file && kills < 0 && fgets(line, sizeof line, file))
            if (sscanf(line, "oom_kill %ld", &kills) != 1)
                kills = -1;
        if (file)
            fclose(file);
        if (kills >= 0)
            return kills;
    }
    return 0;
}

/* ---- The two commands ----------------------------------------------------------------------- */

static int open_fifo(int folder, const char *name, int access)
{
    /* Not to wait for the other side: the agent has opened its own before this program is there.
     * Later, reads and writes are to wait, the step's above all. */
    int fifo = openat(folder, name, access | O_NONBLOCK | O_CLOEXEC);
    if (fifo < 0 && errno == ENXIO)
        GIVE_UP("the agent is gone: nobody reads the FIFO %s", name);
    if (fifo < 0)
        GIVE_UP("cannot open the FIFO %s: %s", name, strerror(errno));
    if (fcntl(fifo, F_SETFL, 0) < 0)
        GIVE_UP("cannot use the FIFO %s: %s", name, strerror(errno));
    return fifo;
}

static int run(const char *directory)
{
    int folder = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        GIVE_UP("cannot open %s: %s", directory, strerror(errno));
    hold_signals();
    end = open_fifo(folder, "end", O_WRONLY);
    step_log = open_fifo(folder, "log", O_WRONLY);
    go = open_fifo(folder, "go", O_RDONLY);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    const long kills_before = out_of_memory_kills();
    dprintf(end, "H\n");

    struct order order = receive_order();
    const int error = start(&order);
    if (error) {
        complain("cannot start %s in %s: %s", order.arguments[0], order.directory, strerror(error));
        dprintf(end, "F %d\n", error);
    } else
        dprintf(end, "S\n");
    const bool stayed = error || supervise();
    clear_away();
    if (!stayed)
        GIVE_UP("the agent went away, so the step was killed");
    if (error)
        step_status = (error == ENOENT ? NOT_FOUND : NOT_EXECUTABLE) << 8;
    dprintf(end, "E %d %ld\n", step_status, out_of_memory_kills() - kills_before);
    return WIFSIGNALED(step_status) ? BY_SIGNAL + WTERMSIG(step_status) : WEXITSTATUS(step_status);
}

static int await(const char *path)
{
    const struct timespec turn = {0, 5 * 1000 * 1000};
    const double until = now() + AWAIT_SECONDS;
    while (access(path, F_OK) < 0) {
        if (now() > until) {
            complain("%s is not there after %d s", path, AWAIT_SECONDS);
            return 1;
        }
        nanosleep(&turn, NULL);
    }
    return 0;
}

int main(int count, char **arguments)
{
    if (count == 3 && strcmp(arguments[1], "run") == 0)
        return run(arguments[2]);
    if (count == 3 && strcmp(arguments[1], "await") == 0)
        return await(arguments[2]);
    GIVE_UP("usage: launcher run DIRECTORY | launcher await PATH");
}
