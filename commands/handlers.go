package commands

// Handlers are the verbs' own kinds of work, for [NewWorker].
func (s *Service) Handlers() map[string]Handler {
	return map[string]Handler{
		KindAct: s.act, KindRead: s.read, KindRelease: s.release, KindLapse: s.lapse, KindRescan: s.rescan,
		KindScan: s.scan, KindRemind: s.remind, KindOwners: s.owners, KindUnits: s.units,
	}
}
