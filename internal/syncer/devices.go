package syncer

func (r *reading) addDeviceLists() error { return nil }
