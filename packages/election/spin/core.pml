/*
 * Terms, votes on the disk, the lease and the promises that it rests on, crashes and restarts, hand-over.
 * README.md tells what is left out and why that loses no behaviour. -DWITHOUT_… removes one rule.
 */
#ifndef TERMS
#define TERMS 3
#endif
#define VOTERS 3
#define TIMEOUT 2
#ifdef WITHOUT_LEASE_WITHIN_TIMEOUT
#define LEASE (TIMEOUT + 1)
#else
#define LEASE TIMEOUT /* the longest that is safe where all clocks go at one speed */
#endif
#ifdef WITHOUT_MAJORITY
#define QUORUM (VOTERS / 2)
#else
#define QUORUM (VOTERS / 2 + 1)
#endif

#define BIT(voter) (1 << (voter))
#define SIZE(set) (((set) & 1) + ((set) >> 1 & 1) + ((set) >> 2 & 1))
#define NO_BEAT 15

#define FOLLOWER 0
#define CANDIDATE 1
#define ADMIN 2

/* On the disk. */
byte term[VOTERS];
bit voted[VOTERS]; /* in that term; for whom makes no difference, for a vote that is repeated adds nothing */

/* In memory. Times are what is left of them. */
byte role[VOTERS];
byte votes[VOTERS];         /* for this candidate in its term: a set of voters */
byte promise[VOTERS];       /* to vote for nobody, since it acknowledged a beat … */
byte promisedIn[VOTERS];    /* … of this term */
byte hold[VOTERS];          /* votes for nobody, since it restarted */
byte lease[VOTERS];
byte age[VOTERS] = NO_BEAT; /* of the beat under way */
byte acks[VOTERS];          /* of that beat: a set of voters */

/* What is known from outside. */
bit won[TERMS + 1];
byte resigned; /* the newest term whose admin handed over */

#ifdef WITHOUT_STICKINESS
#define isFree(v) (hold[v] == 0 && lease[v] == 0)
#else
#define isFree(v) (hold[v] == 0 && lease[v] == 0 && promise[v] == 0)
#endif
#ifdef WITHOUT_RESIGNATION_CHECK
#define releases(v) (resigned > 0 && promise[v] > 0)
#else
#define releases(v) (resigned >= promisedIn[v] && promise[v] > 0)
#endif

/* Chooses another voter for which this holds; executable when there is one. */
#define someone(holds) if :: holds(0) -> other = 0 :: holds(1) -> other = 1 :: holds(2) -> other = 2 fi
#define asksForVote(v) (v != _pid && role[v] == CANDIDATE && isFree(_pid) && \
  (term[v] > term[_pid] || (term[v] == term[_pid] && !voted[_pid])))
#define beats(v) (v != _pid && age[v] != NO_BEAT && term[v] >= term[_pid])
#define isAhead(v) (term[v] > term[_pid])

/* Voters are alike, so let the first that ever stands be the first of them. */
#define mayStand(v) (role[v] != ADMIN && term[v] < TERMS && isFree(v) && (v == 0 || term[0] + term[1] + term[2] > 0))

inline follow(v) {
  role[v] = FOLLOWER; votes[v] = 0; lease[v] = 0; age[v] = NO_BEAT; acks[v] = 0
}

inline enter(v, newer) {
  follow(v); term[v] = newer; voted[v] = 0
}

inline holdLease(v, left) {
  other = 0;
  do
  :: other < VOTERS -> assert(other == v || lease[other] == 0); other++
  :: else -> other = 0; break
  od;
  if :: left > lease[v] -> lease[v] = left :: else fi
}

inline less(time) {
  if :: time > 0 -> time-- :: else fi
}

active [VOTERS] proctype voter() {
  byte other;
  do
  :: atomic { /* stands; the first vote is its own */
      mayStand(_pid) ->
      enter(_pid, term[_pid] + 1); voted[_pid] = 1; votes[_pid] = BIT(_pid); role[_pid] = CANDIDATE
    }
  :: atomic { /* a candidate's request comes in; whether the vote ever counts is left open */
      someone(asksForVote);
      if :: term[other] > term[_pid] -> enter(_pid, term[other]) :: else fi;
      voted[_pid] = 1; votes[other] = votes[other] | BIT(_pid); other = 0
    }
  :: atomic { /* a quorum voted */
      role[_pid] == CANDIDATE && SIZE(votes[_pid]) >= QUORUM ->
      assert(!won[term[_pid]]);
      won[term[_pid]] = 1; role[_pid] = ADMIN; votes[_pid] = 0;
#ifdef WITHOUT_LEASE_START
      holdLease(_pid, LEASE)
#endif
    }
  :: atomic { /* a beat goes out, and the one before is forgotten */
      role[_pid] == ADMIN -> age[_pid] = 0; acks[_pid] = BIT(_pid)
    }
  :: atomic { /* a beat comes in, with the certificate */
      someone(beats);
      if
      :: term[other] > term[_pid] -> enter(_pid, term[other])
      :: else -> if :: role[_pid] == CANDIDATE -> follow(_pid) :: else fi
      fi;
      promise[_pid] = TIMEOUT; promisedIn[_pid] = term[_pid];
      acks[other] = acks[other] | BIT(_pid); other = 0
    }
  :: atomic { /* the acknowledgement that completes a quorum comes in, at once or late */
      SIZE(acks[_pid]) >= QUORUM && LEASE > age[_pid] -> holdLease(_pid, LEASE - age[_pid])
    }
  :: atomic { /* a newer term is met, in a refusal or a certificate */
      someone(isAhead); enter(_pid, term[other]); other = 0
    }
  :: atomic { /* the lease lapsed, or the admin hands over: by resignation or by transfer */
      role[_pid] == ADMIN -> if :: lease[_pid] == 0 :: resigned = term[_pid] fi;
#ifdef WITHOUT_LEASE_ENDED_FIRST
      role[_pid] = FOLLOWER
#else
      follow(_pid)
#endif
    }
  :: atomic { /* the admin's word that it handed over comes in, at once or late */
      releases(_pid) -> promise[_pid] = 0; promisedIn[_pid] = 0
    }
  :: atomic { /* crashes and restarts */
      true -> follow(_pid); promise[_pid] = 0; promisedIn[_pid] = 0;
#ifdef WITHOUT_PERSISTED_VOTE
      voted[_pid] = 0;
#endif
#ifdef WITHOUT_PERSISTED_TERM
      term[_pid] = 0; voted[_pid] = 0;
#endif
#ifndef WITHOUT_RESTART_HOLD
      hold[_pid] = TIMEOUT
#endif
    }
  od
}

active proctype time() {
  byte v;
  do
  :: atomic {
      do
      :: v < VOTERS ->
        less(promise[v]); less(hold[v]); less(lease[v]);
        if :: promise[v] == 0 -> promisedIn[v] = 0 :: else fi;
#ifndef WITHOUT_LEASE_FROM_SENDING
        if
        :: age[v] < LEASE - 1 -> age[v]++
        :: else -> age[v] = NO_BEAT; acks[v] = 0 /* too old to give a lease */
        fi;
#endif
        v++
      :: else -> v = 0; break
      od
    }
  od
}
