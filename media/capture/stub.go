//go:build !capture || !cgo

package capture

func devices() ([]Device, error) { return nil, ErrNotBuilt }

func openCamera(string, CameraOptions) (*Track, error) { return nil, ErrNotBuilt }

func openScreen(string, ScreenOptions) (*Track, error) { return nil, ErrNotBuilt }

func openMicrophone(string) (*Track, error) { return nil, ErrNotBuilt }

func newOpusEncoder(int) (*OpusEncoder, error) { return nil, ErrNotBuilt }
