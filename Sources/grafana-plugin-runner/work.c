/* SPDX-License-Identifier: Apache-2.0
 *
 * Threads for what may block: they start when work comes and none is idle. Work with a lane runs one at a time in
 * it. */
#include "runner.h"

#include <stdlib.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t comes = PTHREAD_COND_INITIALIZER;
static rn_job_t *first;
static rn_job_t *last;
static uint32_t waiting; /* jobs */
static uint32_t idle;    /* threads */
static uint32_t threads;
static uint32_t limit = 1;

void rn_work_open(uint32_t max_threads) {
    limit = max_threads ? max_threads : 1;
}

static void append(rn_job_t **first_of, rn_job_t **last_of, rn_job_t *job) {
    job->next = NULL;
    if (*first_of) {
        (*last_of)->next = job;
    } else {
        *first_of = job;
    }
    *last_of = job;
}

static int is_full(const rn_lane_t *lane) {
    return lane->busy >= (lane->width ? lane->width : 1);
}

/* The next job; with the lock held. One whose lane is taken is left to the thread that has the lane. */
static rn_job_t *next_job(void) {
    while (first) {
        rn_job_t *job = first;
        first = job->next;
        waiting--;
        if (job->lane && is_full(job->lane)) {
            append(&job->lane->first, &job->lane->last, job);
            continue;
        }
        if (job->lane) {
            job->lane->busy++;
        }
        return job;
    }
    return NULL;
}

/* The job that follows in a lane, which is left when there is none; with the lock held. */
static rn_job_t *next_in_lane(rn_lane_t *lane) {
    rn_job_t *job = lane ? lane->first : NULL;
    if (job) {
        lane->first = job->next;
    } else if (lane) {
        lane->busy--;
    }
    return job;
}

/* Runs a job that has its lane, and those that follow in it; with the lock held before and after. */
static void run(rn_job_t *job) {
    while (job) {
        rn_lane_t *lane = job->lane;
        pthread_mutex_unlock(&lock);
        job->run(job->context, job->number);
        free(job);
        pthread_mutex_lock(&lock);
        job = next_in_lane(lane);
    }
}

static void *work(void *unused) {
    (void)unused;
    pthread_mutex_lock(&lock);
    for (;;) {
        rn_job_t *job = next_job();
        if (job) {
            run(job);
        } else {
            idle++;
            pthread_cond_wait(&comes, &lock);
            idle--;
        }
    }
    return NULL;
}

static rn_job_t *make(rn_lane_t *lane, void (*function)(void *context, uint64_t number), void *context,
                      uint64_t number) {
    rn_job_t *job = calloc(1, sizeof *job);
    if (!job) {
        rn_leave(1, "no memory for a call");
    }
    job->run = function;
    job->context = context;
    job->number = number;
    job->lane = lane;
    return job;
}

/* Gives a job to a thread. */
static void submit(rn_job_t *job) {
    pthread_attr_t attributes;
    pthread_t thread;
    int needs_thread;
    pthread_mutex_lock(&lock);
    append(&first, &last, job);
    waiting++;
    needs_thread = idle < waiting && threads < limit;
    if (needs_thread) {
        threads++;
    }
    pthread_cond_signal(&comes);
    pthread_mutex_unlock(&lock);
    if (!needs_thread) {
        return;
    }
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &attributes, work, NULL) != 0) {
        pthread_mutex_lock(&lock);
        needs_thread = --threads == 0;
        pthread_mutex_unlock(&lock);
        if (needs_thread) {
            rn_leave(1, "the system gives no thread");
        }
    }
    pthread_attr_destroy(&attributes);
}

void rn_work(rn_lane_t *lane, void (*function)(void *context, uint64_t number), void *context, uint64_t number) {
    submit(make(lane, function, context, number));
}

void rn_work_now(rn_lane_t *lane, void (*function)(void *context, uint64_t number), void *context, uint64_t number) {
    rn_job_t *job;
    if (!lane) {
        function(context, number);
        return;
    }
    job = make(lane, function, context, number);
    pthread_mutex_lock(&lock);
    if (is_full(lane)) {
        append(&lane->first, &lane->last, job);
    } else {
        lane->busy++;
        run(job);
    }
    pthread_mutex_unlock(&lock);
}

/* The job that this thread runs itself when it has handled its packet. */
static _Thread_local rn_job_t *left;

void rn_work_here(rn_lane_t *lane, void (*function)(void *context, uint64_t number), void *context, uint64_t number) {
    rn_job_t *job = make(lane, function, context, number);
    if (left) {
        submit(job);
    } else {
        left = job;
    }
}

int rn_has_left(void) {
    return left != NULL;
}

void rn_run_left(int may_run) {
    rn_job_t *job = left;
    left = NULL;
    if (!may_run) {
        submit(job);
        return;
    }
    pthread_mutex_lock(&lock);
    if (job->lane && is_full(job->lane)) {
        append(&job->lane->first, &job->lane->last, job);
        job = next_job();
    } else if (job->lane) {
        job->lane->busy++;
    }
    while (job) {
        run(job);
        job = next_job();
    }
    pthread_mutex_unlock(&lock);
}
