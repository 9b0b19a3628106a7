"""Dialogues annotated with thoughts: what is worth remembering, recalling, revising, and where it contradicts.

schema.py      a dialogue, its turns and its annotations
facts.py       what people say of themselves, and in what words
dialogues.py   synthetic dialogues whose events are known by construction
corpora.py     real text by tier: chats, novels, games with exact fact deltas, public sets by name; filters
oracle.py      who annotates: a scripted oracle, fact deltas, any chat endpoint
passes.py      hindsight, causal position, verification; resumable
agreement.py   two oracles compared: Cohen's kappa on types, similarity of summaries
shares.py      balancing of types, splits stratified by type and tier
pilot.py       the pilot protocol and its report
"""
