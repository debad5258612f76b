"""Is a store whole: every journal proved, every row held against its journal, and what is damaged put aside."""
