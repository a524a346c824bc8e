/*
 * Changes of the voters, and the log that their admin writes (with -DLOG).
 * README.md tells what is left out and why that loses no behaviour. -DWITHOUT_… removes one rule.
 */
#ifndef PEERS
#define PEERS 3
#endif
#ifndef TERMS
#define TERMS 3
#endif
#ifndef VERSIONS
#define VERSIONS 3
#endif
#ifndef FIRST_VOTERS
#define FIRST_VOTERS 7 /* a set */
#endif

#define BIT(peer) (1 << (peer))
#define SIZE(set) (((set) & 1) + ((set) >> 1 & 1) + ((set) >> 2 & 1) + ((set) >> 3 & 1))
#define isQuorum(set, of) (2 * SIZE((set) & (of)) > SIZE(of))

#define FOLLOWER 0
#define CANDIDATE 1
#define ADMIN 2

/* On the disk. */
byte term[PEERS];
bit voted[PEERS];
byte voters[PEERS] = FIRST_VOTERS; /* the configuration: a set of peers, … */
byte writer[PEERS];                /* … the term that wrote it, … */
byte version[PEERS] = 1;           /* … and its version */
#ifdef LOG
byte log[PEERS]; /* one entry a term: a set of terms */
#endif

/* In memory. */
byte role[PEERS];
byte votes[PEERS];     /* for this candidate in its term: a set of voters */
byte approvals[PEERS]; /* told this admin that they have its configuration and are in its term */
#ifdef WITHOUT_JOINT_APPROVAL
byte installed[PEERS]; /* told this admin that they have its configuration, whatever their term */
#endif
#ifdef LOG
byte stored[PEERS];    /* told this admin that they have its entry */
#endif

/* What is known from outside. */
bit won[TERMS + 1];
#ifdef LOG
byte logOf[TERMS + 1]; /* of that admin when it won */
byte committed;        /* entries that a quorum has: a set of terms */
#endif

#define isNewer(a, b) (writer[a] > writer[b] || (writer[a] == writer[b] && version[a] > version[b]))

#ifdef WITHOUT_CONFIG_CHECK
#define configAllows(v) true
#else
#define configAllows(v) (!isNewer(_pid, v))
#endif
#if !defined(LOG) || defined(WITHOUT_LOG_CHECK)
#define logAllows(v) true
#else
#define logAllows(v) (log[v] >= log[_pid]) /* logs that end in the same term are the same log */
#endif
#ifdef WITHOUT_INSTALLED_QUORUM
#define hasConfig(v) true
#else
#define hasConfig(v) (writer[v] == writer[_pid] && version[v] == version[_pid])
#endif
#ifdef WITHOUT_TERM_QUORUM
#define isInTerm(v) true
#else
#define isInTerm(v) (term[v] == term[_pid])
#endif
#ifdef WITHOUT_JOINT_APPROVAL
#define approves(v) (v != _pid && role[v] == ADMIN && isInTerm(v) && !(approvals[v] & BIT(_pid)))
#define hasInstalled(v) (v != _pid && role[v] == ADMIN && hasConfig(v) && !(installed[v] & BIT(_pid)))
#define isApproved(v) (isQuorum(approvals[v], voters[v]) && isQuorum(installed[v], voters[v]))
#else
#define approves(v) (v != _pid && role[v] == ADMIN && hasConfig(v) && isInTerm(v) && !(approvals[v] & BIT(_pid)))
#define isApproved(v) isQuorum(approvals[v], voters[v])
#endif
#if !defined(LOG) || defined(WITHOUT_COMMITMENT)
#define isCommitted(v) true
#else
#define isCommitted(v) isQuorum(stored[v], voters[v])
#endif

/* Chooses a peer for which this holds; executable when there is one. */
#if PEERS == 3
#define someone(holds) if :: holds(0) -> other = 0 :: holds(1) -> other = 1 :: holds(2) -> other = 2 fi
#else
#define someone(holds) \
  if :: holds(0) -> other = 0 :: holds(1) -> other = 1 :: holds(2) -> other = 2 :: holds(3) -> other = 3 fi
#endif
#define isOther(v) (v != _pid)
#define asksForVote(v) (v != _pid && role[v] == CANDIDATE && voters[v] & BIT(_pid) && \
  (term[v] > term[_pid] || (term[v] == term[_pid] && !voted[_pid])) && configAllows(v) && logAllows(v))
#define hasNewerConfig(v) (role[_pid] == FOLLOWER && isNewer(v, _pid))
#define replicates(v) (v != _pid && role[v] == ADMIN && term[v] >= term[_pid] && \
  log[v] & BIT(term[v]) && !(stored[v] & BIT(_pid)))
#define isAhead(v) (term[v] > term[_pid])

/* The first voters are alike, so let the first that ever stands be the first of them. */
#define mayStand(v) (role[v] != ADMIN && term[v] < TERMS && voters[v] & BIT(v) && \
  (v == 0 || term[0] > 0 || term[1] > 0 || term[2] > 0))

inline follow(v) {
  role[v] = FOLLOWER; votes[v] = 0; approvals[v] = 0;
#ifdef WITHOUT_JOINT_APPROVAL
  installed[v] = 0;
#endif
#ifdef LOG
  stored[v] = 0
#endif
}

inline enter(v, newer) {
  follow(v); term[v] = newer; voted[v] = 0
}

/* A configuration that nobody but its admin has yet. */
inline begin(v) {
  writer[v] = term[v]; approvals[v] = BIT(v);
#ifdef WITHOUT_JOINT_APPROVAL
  installed[v] = BIT(v)
#endif
}

#ifdef LOG
inline commit(v) {
  if
  :: log[v] & BIT(term[v]) && isQuorum(stored[v], voters[v]) && !(committed & BIT(term[v])) ->
    committed = committed | BIT(term[v]); later = term[v] + 1;
    do
    :: later <= TERMS -> assert(!won[later] || logOf[later] & BIT(term[v])); later++
    :: else -> later = 0; break
    od
  :: else
  fi
}
#endif

active [PEERS] proctype peer() {
  byte other;
#ifdef LOG
  byte later;
#endif
end:
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
  :: atomic { /* a quorum of its configuration voted */
      role[_pid] == CANDIDATE && isQuorum(votes[_pid], voters[_pid]) ->
      assert(!won[term[_pid]]);
      won[term[_pid]] = 1; role[_pid] = ADMIN; votes[_pid] = 0;
#ifdef LOG
      assert((committed & (BIT(term[_pid]) - 1) & ~log[_pid]) == 0);
      logOf[term[_pid]] = log[_pid];
#endif
#ifdef WITHOUT_CONFIG_REWRITE
      approvals[_pid] = BIT(_pid)
#else
      begin(_pid)
#endif
    }
  :: atomic { /* the admin adds or removes one voter */
      role[_pid] == ADMIN && version[_pid] < VERSIONS && isApproved(_pid) && isCommitted(_pid) ->
#ifdef WITHOUT_ONE_AT_A_TIME
      select(other : 1 .. BIT(PEERS) - 1); voters[_pid] = other | BIT(_pid);
#else
      someone(isOther); voters[_pid] = voters[_pid] ^ BIT(other);
#endif
      version[_pid]++; begin(_pid); other = 0
    }
  :: atomic { /* a newer configuration comes in, from anyone */
      someone(hasNewerConfig);
#ifndef WITHOUT_TERM_OF_CONFIG
      if :: writer[other] > term[_pid] -> enter(_pid, writer[other]) :: else fi;
#endif
      voters[_pid] = voters[other]; writer[_pid] = writer[other]; version[_pid] = version[other]; other = 0
    }
  :: atomic { /* an approval goes out, and stays valid until the admin changes or leads no more */
      someone(approves); approvals[other] = approvals[other] | BIT(_pid); other = 0
    }
#ifdef WITHOUT_JOINT_APPROVAL
  :: atomic { someone(hasInstalled); installed[other] = installed[other] | BIT(_pid); other = 0 }
#endif
#ifdef LOG
  :: atomic { /* the admin appends */
      role[_pid] == ADMIN && !(log[_pid] & BIT(term[_pid])) ->
      log[_pid] = log[_pid] | BIT(term[_pid]); stored[_pid] = BIT(_pid); commit(_pid)
    }
  :: atomic { /* the admin's log comes in, and replaces the own */
      someone(replicates);
      if :: term[other] > term[_pid] -> enter(_pid, term[other]) :: else -> follow(_pid) fi;
      log[_pid] = log[other]; stored[other] = stored[other] | BIT(_pid); commit(other); other = 0
    }
#endif
  :: atomic { /* a newer term is met */
      someone(isAhead); enter(_pid, term[other]); other = 0
    }
  :: atomic { /* steps down, or crashes and restarts: the disk keeps the rest */
      role[_pid] != FOLLOWER -> follow(_pid)
    }
#ifdef WITHOUT_PERSISTED_CONFIG
  :: atomic { /* crashes and restarts */
      version[_pid] > 1 || writer[_pid] > 0 ->
      follow(_pid); voters[_pid] = FIRST_VOTERS; version[_pid] = 1; writer[_pid] = 0
    }
#endif
  od
}
